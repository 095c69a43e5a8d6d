"""What a sweep's own run shows a researcher: a note, a leaderboard, and one interactive page that stands by itself."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from leaflab.values import Artifact, Item, Tag, Trial

__all__ = ["SweepFacts", "effects", "sweep_report"]

_HERE = Path(__file__).parent
_NOTE = 7_400
_CURVES, _BINS, _FRONT = 10, 8, 15
_COSTS = ("fit_seconds", "predict_ms_per_1k_rows", "size_bytes", "memory/peak_bytes", "rounds", "best_iteration")


@dataclass(frozen=True)
class SweepFacts:
    """A sweep in plain values.

    Args:
        title: what people call it.
        trials: the finished trials, by number.
        metric: the objective's name; `direction` "minimize" or "maximize".
        baselines: name to objective.
        space: what was searched, as written.
        data: part to digest.
        command: the command that made it.
        members: how the final model is made, and `notes`: warnings, as sentences.
        verdicts: sentences of checks and gates.
        final: metrics of the final model.
        objectives: other objectives, as the name and the trials' fact that has it; `raised`: facts to be raised.
        front: numbers of the trials that no other beats in all objectives, the best metric first.
        prefixes: training seconds and objective of the best trials cut to fewer trees, fastest first.
    """

    title: str
    trials: Sequence[Trial]
    metric: str
    direction: str
    baselines: Mapping[str, float] = field(default_factory=dict)
    space: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    members: Sequence[str] = ()
    notes: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    final: Mapping[str, float] = field(default_factory=dict)
    objectives: Mapping[str, str] = field(default_factory=dict)
    raised: Sequence[str] = ()
    front: Sequence[int] = ()
    prefixes: Sequence[tuple[float, float]] = ()

    @property
    def ranked(self) -> list[Trial]:
        """Trials with a value, the best first."""
        sign = 1.0 if self.direction == "minimize" else -1.0
        valued = [t for t in self.trials if t.value is not None and math.isfinite(t.value)]
        return sorted(valued, key=lambda t: (t.state == "pruned", sign * (t.value or 0.0), t.number))


def sweep_report(facts: SweepFacts) -> Iterator[Item]:
    """The note on the run, `leaderboard.csv` and `report.html` (under 5 MB at 10,000 trials)."""
    yield Tag("mlflow.note.content", note(facts))
    yield Artifact("leaderboard.csv", leaderboard(facts))
    if facts.ranked:
        yield Artifact("report.html", page(facts))


def note(facts: SweepFacts) -> str:
    """Markdown, at most 7,400 characters, that answers what is asked first of a sweep."""
    ranked = facts.ranked
    states = {s: sum(t.state == s for t in facts.trials) for s in ("complete", "pruned", "deadline", "failed")}
    told = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    lines = [f"### {facts.title}", ""]
    if ranked:
        best = ranked[0]
        lines += [f"**Best `{facts.metric}` {_shown(best.value)}** (trial {best.number}), {facts.direction}d over "
                  f"{len(facts.trials)} trials ({told}).", ""]  # fmt: skip
        lines += ["| model | " + facts.metric + " |", "|---|---|"]
        lines += [f"| best trial | {_shown(best.value)} |"]
        refitted = facts.final.get(f"oof/{facts.metric}")
        lines += [f"| final model, on rows each member did not learn from | {_shown(refitted)} |"] if refitted else []
        lines += [f"| baseline {name} | {_shown(value)} |" for name, value in facts.baselines.items()]
        lines += _front(facts)
        lines += ["", "**Best parameters**", "", *(f"- `{k}` = {_shown(v)}" for k, v in best.params.items())]
        mattered = ", ".join(f"`{name}` {share:.0%}" for name, share in effects(facts)[:5])
        lines += (
            ["", f"**What mattered** (share of the ranks' variance each explains alone): {mattered}."]
            if mattered
            else []
        )
    for title, entries in (("Final model", facts.members), ("Verdicts", facts.verdicts), ("Notes", facts.notes)):
        lines += ["", f"**{title}**", "", *(f"- {entry}" for entry in entries)] if entries else []
    lines += (
        ["", "**Searched**", "", *(f"- `{name}`: {_spec(spec)}" for name, spec in facts.space.items())]
        if facts.space
        else []
    )
    lines += (
        ["", "**Data**", "", *(f"- {part}: `{digest}`" for part, digest in facts.data.items())] if facts.data else []
    )
    lines += ["", f"Made by `{facts.command}`"] if facts.command else []
    lines += ["", "Figures: `report.html` among the artifacts. All trials: the child runs, and `leaderboard.csv`."]
    text = "\n".join(lines)
    return text if len(text) <= _NOTE else text[: _NOTE - 40] + "\n\n… (the rest is in `report.html`)"


def _front(facts: SweepFacts) -> list[str]:
    """The trials to choose among, as a table."""
    by_number = {t.number: t for t in facts.trials}
    rows = [by_number[number] for number in facts.front[:_FRONT]]
    if not rows:
        return []
    more = f", the first {_FRONT} here" if len(facts.front) > _FRONT else ""
    lines = ["", f"**Front** ({len(facts.front)} trials that none beats in everything{more})", ""]
    lines += [
        "| trial | " + " | ".join([facts.metric, *facts.objectives]) + " |",
        "|---" * (2 + len(facts.objectives)) + "|",
    ]
    return lines + [
        f"| {t.number} | " + " | ".join(_shown(v) for v in [t.value, *_reached(facts, t)]) + " |" for t in rows
    ]


def _reached(facts: SweepFacts, t: Trial) -> list[Any]:
    return [t.facts.get(key, "") for key in facts.objectives.values()]


def leaderboard(facts: SweepFacts) -> str:
    """All trials as CSV, the best first, those without a value last."""
    ranked = facts.ranked
    valued = {t.number for t in ranked}
    ordered = [*ranked, *(t for t in facts.trials if t.number not in valued)]
    params = sorted({key for t in ordered for key in t.params})
    metrics = sorted({key for t in ordered for key in t.metrics})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    aims = [*facts.objectives, "front"] if facts.objectives else []
    head = ["rank", "trial", "state", facts.metric, "seconds", *aims, *(f"valid/{m}" for m in metrics), *params]
    writer.writerow(head)
    for rank, t in enumerate(ordered, 1):
        row = [rank, t.number, t.state, "" if t.value is None else t.value, round(t.seconds, 4)]
        row += [*_reached(facts, t), str(t.number in facts.front).lower()] if aims else []
        writer.writerow([*row, *(t.metrics.get(m, "") for m in metrics), *(t.params.get(p, "") for p in params)])
    return text.getvalue()


def effects(facts: SweepFacts) -> list[tuple[str, float]]:
    """Searched parameter to the share of the variance of the trials' ranks that it explains alone, largest first.

    One-way: ranks of the objective, grouped by level or by eighths of the parameter; interactions are not seen.
    """
    import numpy as np

    ranked = facts.ranked
    order = sorted(ranked, key=lambda t: (t.value or 0.0) if facts.direction == "minimize" else -(t.value or 0.0))
    rank = {t.number: i for i, t in enumerate(order)}
    shares = {}
    for column in _columns(facts):
        name = column["name"]
        some = [t for t in ranked if name in t.params]
        if len(some) < 2 * _BINS:
            continue
        y = np.array([rank[t.number] for t in some], dtype="float64")
        if column["levels"]:
            groups = np.array([column["levels"].index(str(t.params[name])) for t in some])
        else:
            x = np.array([float(t.params[name]) for t in some])
            groups = np.searchsorted(np.quantile(x, np.linspace(0, 1, _BINS + 1)[1:-1]), x, side="right")
        total = float(((y - y.mean()) ** 2).sum())
        means = [y[groups == g] for g in np.unique(groups)]
        between = sum(len(m) * float((m.mean() - y.mean()) ** 2) for m in means)
        noise = (len(means) - 1) / max(1, len(y) - 1)  # what pure chance would explain
        shares[name] = max(0.0, (between / total - noise) / (1 - noise)) if total else 0.0
    return sorted(shares.items(), key=lambda pair: -pair[1])


def page(facts: SweepFacts) -> str:
    """The interactive page: history, frontier, effects, slices, parallel coordinates, learning curves."""
    ranked = facts.ranked
    curves = {t.number for t in ranked[:_CURVES]}
    columns = _columns(facts)
    costs = ["seconds", *(c for c in _COSTS if any(c in t.facts for t in ranked[:50]))]
    costs.sort(key=lambda cost: cost != "fit_seconds")
    data = {
        "metric": facts.metric,
        "direction": facts.direction,
        "baselines": {k: v for k, v in facts.baselines.items() if math.isfinite(v)},
        "params": columns,
        "importance": effects(facts) or [(c["name"], 0.0) for c in columns],
        "costs": [*facts.objectives.values(), *costs],
        "raised": list(facts.raised),
        "front": list(facts.front),
        "prefixes": [(_short(seconds), _short(value)) for seconds, value in facts.prefixes],
        "trials": [_plain(t, t.number in curves, facts.objectives.values()) for t in facts.trials],
    }
    best = ranked[0]
    tiles = {
        f"best {facts.metric}": _shown(best.value),
        "trials": str(len(facts.trials)),
        "best trial": str(best.number),
    }
    tiles |= {f"baseline {name}": _shown(value) for name, value in facts.baselines.items()}
    names = ["trial", facts.metric, "seconds", "state", *(str(c["name"]) for c in columns)]
    return Template((_HERE / "sweep.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(facts.title),
        lead=html.escape(f"{facts.metric}, {facts.direction}d."),
        facts="".join(f"<div><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>" for k, v in tiles.items()),
        columns="".join(f"<th>{html.escape(name)}</th>" for name in names),
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        script=(_HERE / "sweep.js").read_text(encoding="utf-8"),
    )


def _columns(facts: SweepFacts) -> list[dict[str, Any]]:
    """Parameters that vary among the trials: name, levels of a category, whether to draw on a log scale."""
    seen: dict[str, list[Any]] = {}
    for t in facts.trials:
        for name, value in t.params.items():
            seen.setdefault(name, []).append(value)
    columns = []
    for name, values in seen.items():
        if len({str(v) for v in values}) < 2:
            continue
        numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        plain = len(numbers) == len(values)
        log = plain and min(numbers) > 0 and max(numbers) / min(numbers) > 50
        columns.append({"name": name, "levels": None if plain else sorted({str(v) for v in values}), "log": log})
    return columns


def _plain(t: Trial, with_curve: bool, aims: Iterable[str]) -> dict[str, Any]:
    value = t.value if t.value is not None and math.isfinite(t.value) else None
    return {
        "number": t.number,
        "state": t.state,
        "value": value,
        "seconds": round(t.seconds, 4),
        "params": {k: _short(v) for k, v in t.params.items()},
        "facts": {k: _short(t.facts[k]) for k in (*_COSTS, *aims) if k in t.facts},
        "curve": [(step, _short(v)) for step, v in t.curve if math.isfinite(v)] if with_curve else [],
    }


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else str(value)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _spec(spec: Any) -> str:
    if isinstance(spec, Mapping) and "low" in spec:
        return f"{spec['low']} … {spec['high']}{', log' if spec.get('log') else ''}"
    return str(spec)
