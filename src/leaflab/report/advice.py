"""What to try next: adjustments ranked by the loss they might take off, each with the command that tries it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
            `valid_loss` (of the final model's metric), `suspect_labels` (rows), `rows` (in train).
    """
    loss = found.metric.loss(found.subject.metrics.get(found.metric.name, float("nan")))
    if not loss > 0:
        return []
    tips = [*_slices(found, name, loss), *_calibration(found, name), *_curve(found, name), *_search(name, facts)]
    return sorted((tip for tip in tips if tip.gain > 0.0005), key=lambda tip: -tip.gain)


def _slices(found: Assessment, name: str, loss: float) -> Iterator[Advice]:
    rows = len(found.truth)
    scale = found.metric.power
    for weak in [s for s in found.slices if s.adjusted < 0.05 and s.skill < s.rest_skill][:3]:
        within = (weak.rest_skill - weak.skill) / (1 - weak.skill)
        gain = within * weak.loss**scale * weak.rows / rows / loss**scale / scale / 2
        say = f"weak where {weak.name} ({weak.rows:,} rows, loss {weak.loss:.4g} against {weak.rest:.4g} elsewhere)"
        yield Advice(gain, say, f"leaflab sweep name={name} source.path=… # more rows or features for {weak.column}")


def _calibration(found: Assessment, name: str) -> Iterator[Advice]:
    now = found.recalibrated.get("now")
    if now:
        kind = min(found.recalibrated, key=lambda k: found.recalibrated[k])
        gain = 1 - found.recalibrated[kind] / now
        if kind != "now":
            say = f"probabilities are off: {kind} recalibration lowers the validation loss by {gain:.1%}"
            yield Advice(gain, say, f"leaflab evaluate name={name} evaluate.recalibrate={kind}")


def _curve(found: Assessment, name: str) -> Iterator[Advice]:
    if len(found.curve) >= 2:
        (less, before), (more, after) = found.curve[-2:]
        gain = (1 - after / before) * 0.6 if before > 0 else 0.0
        say = f"still learning: {more:,} rows instead of {less:,} took {1 - after / before:.1%} off the loss"
        if gain > 0.002:
            yield Advice(gain, say, f"leaflab collect name={name} collect.mode=append source.path=… # more rows")


def _search(name: str, facts: Mapping[str, Any]) -> Iterator[Advice]:
    edges: Sequence[str] = facts.get("edges", ())
    for edge in edges:
        say = f"the best {edge} lies at the end of its range"
        yield Advice(_EDGE / 2, say, f"leaflab sweep name={name} search/space=wide")
    train, valid = facts.get("train_loss"), facts.get("valid_loss")
    if train and valid and valid > 1.3 * train:
        say = f"overfits: loss {valid:.4g} on validation rows, {train:.4g} on training rows"
        yield Advice(
            min(0.05, (valid / train - 1) / 20), say, f"leaflab sweep name={name} search/space=wide search.refit=blend"
        )
    suspects = facts.get("suspect_labels", 0)
    if suspects:
        share = suspects / max(1, facts.get("rows", 1))
        yield Advice(share, f"{suspects:,} labels look wrong", f"leaflab truth {name} # the list to review")
