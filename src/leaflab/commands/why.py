"""`leaflab why`: what differs between two runs, and how much of their metric each difference explains."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from leaflab.errors import LeaflabError, TrackingError

if TYPE_CHECKING:
    from leaflab.lake.base import Lake
    from leaflab.tracking.base import Record, Tracking

__all__ = ["Difference", "Explained", "command", "differences", "explained"]

_HARDWARE = ("leaflab.host", "leaflab.cores", "leaflab.python")
_SHOWN = 12
_DATA = frozenset({"lake.version", "dataset.name"})
_NEUTRAL = frozenset({"name", "search.seconds", "search.fresh", "tracking", "executor"})


@dataclass(frozen=True)
class Difference:
    """One thing that differs: its kind, its name, and what each run has."""

    kind: str
    name: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.name}: {self.a} → {self.b}"


@dataclass(frozen=True)
class Explained:
    """The metric difference, replayed one factor at a time from run A.

    Args:
        metric: its name.
        a, b: what the runs recorded; `again`: what replaying A gives, equal to `a` where all is deterministic.
        factors: factor to the change that it alone makes.
    """

    metric: str
    a: float
    b: float
    again: float
    factors: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        total = self.b - self.a
        lines = [f"{self.metric}: {self.a:.6g} → {self.b:.6g} ({total:+.4g}); replaying A gives {self.again:.6g}"]
        for name, change in self.factors.items():
            share = f"{change / total:.0%}" if total else "–"
            lines.append(f"  {change:+.4g}  {share:>6}  {name}, alone")
        rest = total - sum(self.factors.values())
        return "\n".join(
            [*lines, f"  {rest:+.4g}  {rest / total if total else 0.0:>6.0%}  not explained by one factor alone"]
        )


@click.command(help="What differs between RUN_A and RUN_B; --replay measures what each difference explains.")
@click.argument("run_a")
@click.argument("run_b")
@click.option("--replay", is_flag=True, help="Sweep A again with one setting of B at a time; nothing is recorded.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, as tracking.uri=http://host:5000."
)
def command(run_a: str, run_b: str, replay: bool, settings: tuple[str, ...]) -> None:
    from leaflab.door.compose import lab_for

    lab = lab_for("promote", ["name=why", *settings])
    tracking = lab.tracking
    a, b = _run(tracking, run_a), _run(tracking, run_b)
    found = list(differences(tracking, a, b, lab.lake))
    click.echo(f"{a.name} ({a.id[:8]}) → {b.name} ({b.id[:8]})")
    for kind in dict.fromkeys(d.kind for d in found):
        some = [d for d in found if d.kind == kind]
        click.echo(f"\n{kind}:")
        for difference in some[:_SHOWN]:
            click.echo(f"  {difference}")
        if len(some) > _SHOWN:
            click.echo(f"  … and {len(some) - _SHOWN} more")
    if not found:
        click.echo("Nothing that is recorded differs.")
    if replay:
        click.echo(f"\n{explained(tracking, a, b)}")


def differences(tracking: Tracking, a: Record, b: Record, lake: Lake | None = None) -> Iterator[Difference]:
    """Config keys, data by column, code, libraries, seeds, hardware, and the metrics that came of it."""
    yield from _pairs("config", _flat(_yaml(tracking, a, "config.yaml")), _flat(_yaml(tracking, b, "config.yaml")))
    yield from _data(lake, a, b)
    for kind, keys in (("seed", ("leaflab.seed",)), ("hardware", _HARDWARE)):
        yield from _pairs(kind, {k: a.tags.get(k) for k in keys}, {k: b.tags.get(k) for k in keys})
    yield from _pairs("libraries", _versions(a), _versions(b))
    yield from _code(tracking, a, b)
    yield from _pairs("metrics", _metrics(a), _metrics(b))


def explained(tracking: Tracking, a: Record, b: Record) -> Explained:
    """Sweeps A again with one override of B at a time: same trials, one change. Data counts as one factor.

    Raises:
        TrackingError: a run is no sweep, or does not say how it was made.
    """
    metric = a.tags.get("leaflab.metric", "")
    if metric not in a.metrics or metric not in b.metrics:
        raise TrackingError(
            "--replay", "needs two finished sweeps of one metric", hint="`leaflab runs --verb sweep` lists them"
        )
    mine, theirs = _overrides(tracking, a), _overrides(tracking, b)
    again = _value(mine)
    factors = {}
    changed = {k for k in {**mine, **theirs} if mine.get(k) != theirs.get(k) and k not in _NEUTRAL}
    for keys in ([_DATA] if changed & _DATA else []) + [{k} for k in sorted(changed - _DATA)]:
        mixed = {k: v for k, v in mine.items() if k not in keys} | {k: v for k, v in theirs.items() if k in keys}
        key = next(iter(keys))
        name = f"{key}: {mine.get(key, 'default')} → {theirs.get(key, 'default')}" if keys is not _DATA else "data"
        factors[name] = _value(mixed) - again
    return Explained(metric, a.metrics[metric], b.metrics[metric], again, factors)


def _overrides(tracking: Tracking, run: Record) -> dict[str, str]:
    """The overrides a sweep was made with, its data pinned and its budget counted in trials."""
    text = _text(tracking, run, "overrides.json")
    if text is None:
        raise TrackingError(f"Run '{run.name}'", "does not say how it was made, so it cannot be replayed")
    found = {k: v for k, _, v in (word.partition("=") for word in json.loads(text)) if not k.startswith("source.")}
    found |= {"search.seconds": "null", "search.trials": str(int(run.metrics.get("trials", 0)))}
    prepared = tracking.search(tags={"leaflab.verb": "prepare", "leaflab.dataset": run.tags.get("leaflab.dataset", "")})
    raw: dict[str, Any] = next(
        (json.loads(_text(tracking, p, "dataset.json") or "{}").get("raw", {}) for p in prepared), {}
    )
    if "version" not in raw:
        raise TrackingError(f"Run '{run.name}'", "has no preparation in this store, so its data cannot be found again")
    return found | {"lake.version": str(raw["version"]), "dataset.name": str(raw["table"]).removeprefix("raw/")}


def _value(overrides: Mapping[str, str]) -> float:
    """The objective of a sweep with these overrides; its journal stays, so a second replay is instant."""
    from leaflab.door.compose import lab_for
    from leaflab.workflow.sweep import sweep

    words = [f"{key}={value}" for key, value in overrides.items() if not key.startswith("tracking")]
    return sweep(lab_for("sweep", [*words, "tracking=memory"])).value


def _run(tracking: Tracking, wanted: str) -> Record:
    found = tracking.get(wanted)
    if found is None:
        same = [r for r in tracking.search(limit=100_000) if r.id.startswith(wanted)]
        found = same[0] if len(same) == 1 else None
    if found is None:
        raise TrackingError(f"Run '{wanted}'", f"is not in {tracking.uri}", hint="`leaflab runs` lists them")
    return found


def _data(lake: Lake | None, a: Record, b: Record) -> Iterator[Difference]:
    mine, theirs = ({i["context"]: i for i in run.inputs} for run in (a, b))
    yield from _pairs("data", _digests(mine), _digests(theirs))
    for context in sorted(mine.keys() & theirs.keys()):
        one, two = mine[context], theirs[context]
        yield from _pairs("columns", _types(one), _types(two), f"{context}/")
        if lake is not None and one["digest"] != two["digest"]:
            yield from _pairs("columns", _columns(lake, one), _columns(lake, two), f"{context}/")


def _digests(parts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {context: item["digest"][:12] for context, item in parts.items()}


def _types(item: Mapping[str, str]) -> dict[str, Any]:
    return {c["name"]: c["type"] for c in json.loads(item.get("schema") or "{}").get("mlflow_colspec", [])}


def _columns(lake: Lake, item: Mapping[str, str]) -> dict[str, Any]:
    """Column to digest of a part, from the lake's version of it; nothing where it is gone."""
    from leaflab.identity import digest

    name, _, version = str(json.loads(item["source"]).get("uri", "")).removeprefix("lake/").partition("@")
    try:
        found = digest(lake.read(name, int(version) if version.isdigit() else None))
    except LeaflabError:
        return {}
    return {column: value[:12] for column, value in found.columns.items()} if found.table == item["digest"] else {}


def _code(tracking: Tracking, a: Record, b: Record) -> Iterator[Difference]:
    keys = ("mlflow.source.git.commit", "mlflow.source.git.branch")
    one, two = ({k.rpartition(".")[2]: r.tags.get(k, "")[:12] for k in keys} for r in (a, b))
    yield from _pairs("code", one, two)
    mine, theirs = ((_text(tracking, r, "code/diff.patch") or "").splitlines() for r in (a, b))
    changed = [line for line in difflib.unified_diff(mine, theirs, lineterm="", n=0) if line[:1] in "+-"][2:]
    if changed:
        yield Difference("code", "uncommitted lines", str(len(mine)), f"{len(theirs)} ({len(changed)} differ)")


def _metrics(run: Record) -> dict[str, Any]:
    return {k: f"{v:.6g}" for k, v in run.metrics.items() if not k.startswith("time/")}


def _versions(run: Record) -> dict[str, Any]:
    return {k.removeprefix("leaflab.version."): v for k, v in run.tags.items() if k.startswith("leaflab.version.")}


def _pairs(kind: str, a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> Iterator[Difference]:
    for key in dict.fromkeys([*a, *b]):
        if a.get(key) != b.get(key):
            yield Difference(kind, prefix + key, *("(none)" if v.get(key) is None else str(v[key]) for v in (a, b)))


def _text(tracking: Tracking, run: Record, path: str) -> str | None:
    file = tracking.artifact(run.id, path)
    return file.read_text(encoding="utf-8") if file else None


def _yaml(tracking: Tracking, run: Record, path: str) -> Any:
    import yaml

    return yaml.safe_load(_text(tracking, run, path) or "{}")


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested keys as dotted paths."""
    if isinstance(node, Mapping) and node:
        return {
            k: v
            for key, value in node.items()
            for k, v in _flat(value, f"{prefix}.{key}" if prefix else str(key)).items()
        }
    return {prefix: node} if prefix else {}
