"""What the ledger and the store remember of a model: who was champion when, and where a version came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, LeaflabError, ModelError
from leaflab.workflow.prepare import load_dataset
from leaflab.workflow.summary import when

if TYPE_CHECKING:
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Entry

__all__ = ["Lineage", "Node", "champion_at", "lineage", "moment", "named_version"]


def moment(text: str) -> float:
    """Seconds since the epoch of an ISO date or time in UTC; a date alone means its end.

    Raises:
        ConfigError: it cannot be read.

    >>> moment("1970-01-02")
    172799.0
    """
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("`--at`", "must be a date or time, as 2026-03-01 or 2026-03-01T12:00", got=text) from error
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        stamp = stamp.replace(hour=23, minute=59, second=59)
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def champion_at(entries: Sequence[Entry], at: float) -> Entry | None:
    """The entry that had made the champion of a moment; None before the first."""
    moved = [entry for entry in entries if entry.moved and entry.when <= at]
    return moved[-1] if moved else None


def named_version(lab: Lab, wanted: str) -> Version:
    """The version of `NAME@alias` or `NAME@3`; the champion where nothing follows the name.

    Raises:
        ModelError: there is none.
    """
    name, _, which = wanted.partition("@")
    which = which or "champion"
    registry = lab.tracking.registry
    number = int(which.removeprefix("v")) if which.removeprefix("v").isdigit() else None
    found = registry.version(name, number=number) if number else registry.version(name, alias=which)
    if found is None:
        known = ", ".join(str(v.number) for v in registry.versions(name))
        what = f"version {number}" if number else "champion" if which == "champion" else f"alias '{which}'"
        hint = f"it has versions {known}" if known else "`leaflab runs` lists what there is"
        raise ModelError(f"'{name}'", f"has no {what}", hint=hint)
    return found


_SHOWN = 12
"""Runs of a verb that a lineage names one by one."""


@dataclass(frozen=True)
class Node:
    """One thing on the way from a source to an answer: its kind, its name, and what is known of it."""

    kind: str
    name: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lineage:
    """Nodes in the order of their making, and edges between their positions."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]

    def plain(self) -> dict[str, Any]:
        return {"nodes": [node.__dict__ for node in self.nodes], "edges": [list(edge) for edge in self.edges]}

    def __str__(self) -> str:
        lines = []
        for node in self.nodes:
            facts = ", ".join(f"{key} {value}" for key, value in node.facts.items() if value)
            lines.append(f"{node.kind:<11} {node.name}{f'  ({facts})' if facts else ''}")
        return "\n".join(lines)


def lineage(lab: Lab, version: Version) -> Lineage:
    """From the source to the model, and on to what it answered and how it was watched."""
    tracking = lab.tracking
    run = tracking.get(version.run_id)
    tags = dict(run.tags) if run else {}
    nodes = [*_data(lab, version.tags.get("leaflab.dataset") or tags.get("leaflab.dataset", ""))]
    if source := version.tags.get("leaflab.from"):
        origin = f"{version.tags.get('leaflab.from_name')} version {version.tags.get('leaflab.from_version')}"
        nodes.append(Node("origin", origin, {"store": source}))
    if commit := tags.get("mlflow.source.git.commit"):
        nodes.append(Node("code", commit[:12], {"dirty": tags.get("mlflow.source.git.dirty", "")}))
    made = len(nodes)
    nodes.append(
        Node(
            "run",
            version.run_id[:12],
            {"name": run.name if run else "gone", "sweep": tags.get("leaflab.sweep", "")[:12]},
        )
    )
    aliases = ", ".join(version.aliases)
    nodes.append(Node("version", str(version), {"aliases": aliases, "model": version.model_uri}))
    edges = [(i, i + 1) for i in range(made - 1) if nodes[i + 1].kind != "code"]
    edges += [(i, made) for i in range(made) if nodes[i].kind == "code" or not any(e[0] == i for e in edges)]
    edges.append((made, made + 1))
    for node in _after(lab, version):
        edges.append((made + 1, len(nodes)))
        nodes.append(node)
    return Lineage(tuple(nodes), tuple(edges))


def _data(lab: Lab, dataset_id: str) -> list[Node]:
    if not dataset_id:
        return []
    try:
        dataset = load_dataset(lab.lake, dataset_id)
    except LeaflabError:
        return [Node("dataset", dataset_id[:12], {"state": "not in this lake"})]
    raw = dataset.raw
    digests = {part: digest[:12] for part, digest in dataset.digests.items()}
    return [
        Node("source", str(raw.get("uri") or "unknown")),
        Node("raw", f"{raw.get('table', '')}@{raw.get('version', '')}", {"digest": str(raw.get("digest", ""))[:12]}),
        Node("dataset", f"{dataset.name} {dataset_id[:12]}", digests),
    ]


def _after(lab: Lab, version: Version) -> Iterator[Node]:
    """Runs that used a version: evaluations, judgements, predictions, monitors; of each the newest, oldest first."""
    for verb in ("evaluate", "promote", "predict", "monitor"):
        tags = {"leaflab.verb": verb, "leaflab.version": str(version.number)}
        found = sorted(lab.tracking.search(version.name, tags, limit=100_000), key=lambda record: record.started)
        if len(found) > _SHOWN:
            yield Node(verb, f"{len(found) - _SHOWN:,} earlier runs", {"since": when(found[0].started)})
        for record in found[-_SHOWN:]:
            yield Node(verb, record.id[:12], {"name": record.name, "status": record.status})
