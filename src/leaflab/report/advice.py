"""What to try next: adjustments ranked by the loss they might take off, each with the command that tries it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.values import typed

if TYPE_CHECKING:
    from leaflab.report.assess import Assessment

__all__ = ["Advice", "advise"]

_EDGE = 0.02


@dataclass(frozen=True)
class Advice:
    """One adjustment.

    Args:
        gain: the share of the loss it might take off, a rough estimate from what was seen.
        finding: what was seen.
        command: what tries it.
    """

    gain: float
    finding: str
    command: str


def advise(found: Assessment, name: str, facts: Mapping[str, Any]) -> list[Advice]:
    """Adjustments, the most promising first.

    Args:
        found: the assessment.
        name: model and experiment.
        facts: `edges` (searched parameters whose best value lies at an end of their range), `train_loss` and
            `valid_loss` (of the final model's metric), `suspect_labels` (rows), `rows` (in train); `sweep`, the words
            of the command that made the model, and `table`, which it learnt from.
    """
    loss = found.metric.loss(found.subject.metrics.get(found.metric.name, float("nan")))
    if not loss > 0:
        return []
    tips = [*_slices(found, facts, loss), *_calibration(found, name), *_curve(found, facts), *_search(name, facts)]
    best: dict[str, Advice] = {}
    for tip in sorted(tips, key=lambda tip: -tip.gain):
        best.setdefault(tip.command.partition(" #")[0], tip)
    return [tip for tip in best.values() if tip.gain > 0.0005]


def _sweep(facts: Mapping[str, Any], *changes: str) -> str:
    """The command that made the model, changed."""
    keys = {change.partition("=")[0] for change in changes}
    kept = [word for word in facts.get("sweep", ()) if word.partition("=")[0] not in keys]
    return " ".join(["leaflab sweep", *(shlex.quote(word) for word in [*kept, *changes])])


def _slices(found: Assessment, facts: Mapping[str, Any], loss: float) -> Iterator[Advice]:
    rows = len(found.truth)
    scale = found.metric.power
    for weak in [s for s in found.slices if s.adjusted < 0.05 and s.skill < s.rest_skill][:3]:
        within = (weak.rest_skill - weak.skill) / (1 - weak.skill)
        gain = within * weak.loss**scale * weak.rows / rows / loss**scale / scale / 2
        say = f"weak where {weak.name} ({weak.rows:,} rows, loss {weak.loss:.4g} against {weak.rest:.4g} elsewhere)"
        column = weak.column.partition(", ")[0]
        command = _sweep(facts, f"search.objectives=[worst({column})]")
        yield Advice(gain, say, f"{command} # or find features for {weak.column}")


def _calibration(found: Assessment, name: str) -> Iterator[Advice]:
    now = found.recalibrated.get("now")
    if now:
        kind = min(found.recalibrated, key=lambda k: found.recalibrated[k])
        gain = 1 - found.recalibrated[kind] / now
        if kind != "now":
            say = f"probabilities are off: {kind} recalibration lowers the validation loss by {gain:.1%}"
            yield Advice(gain, say, typed("evaluate", name, f"evaluate.recalibrate={kind}"))


def _curve(found: Assessment, facts: Mapping[str, Any]) -> Iterator[Advice]:
    if len(found.curve) >= 2:
        (less, before), (more, after) = found.curve[-2:]
        gain = (1 - after / before) * 0.6 if before > 0 else 0.0
        say = f"still learning: {more:,} rows instead of {less:,} took {1 - after / before:.1%} off the loss"
        if gain > 0.002:
            table = shlex.quote(f"dataset.name={facts.get('table', '')}")
            yield Advice(gain, say, f"leaflab collect {table} collect.mode=append source.path=FILE # more rows")


def _search(name: str, facts: Mapping[str, Any]) -> Iterator[Advice]:
    edges: Sequence[str] = facts.get("edges", ())
    for edge in edges:
        say = f"the best {edge} lies at the end of its range"
        yield Advice(_EDGE / 2, say, _sweep(facts, "search/space=wide"))
    train, valid = facts.get("train_loss"), facts.get("valid_loss")
    if train and valid and valid > 1.3 * train:
        say = f"overfits: loss {valid:.4g} on validation rows, {train:.4g} on training rows"
        regularised = _sweep(facts, "model.params.lambda_l2=10", "model.params.min_data_in_leaf=100")
        yield Advice(min(0.05, (valid / train - 1) / 20), say, regularised)
    suspects = facts.get("suspect_labels", 0)
    if suspects:
        share = suspects / max(1, facts.get("rows", 1))
        yield Advice(
            share, f"{suspects:,} labels look wrong", f"leaflab truth {shlex.quote(name)} # the list to review"
        )
