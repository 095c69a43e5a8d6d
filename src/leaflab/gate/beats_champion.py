"""A challenger must be better than the champion by enough to be worth the change, beyond doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.paired import Gain, paired_gain, upper, widened
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["BeatsChampion"]


@option
class BeatsChampion(Gate):
    """The challenger's gain over the champion must exceed what chance and another seed could show together.

    The gain is relative: 0.01 takes one percent off the champion's loss (of 1 - value for a metric to maximise), on
    rows neither model has seen. It must exceed the root of the sum of two squares: what sampling these rows shows at
    level alpha (paired bootstrap), and the margin; with many rows the margin alone decides. Answers: better, worse, no
    better by the margin, or not enough evidence and about how many more rows would tell.

    Where the gate `stable` is asked too, the margin is at least what its other seeds show at level alpha, so that a
    model that owes much to its seed must gain more.

    The level shrinks with the looks at the same test set (`gate.paired.spent_alpha`), and the margin, which is a
    quantile at that level, grows with them.

    Args:
        min_gain: the margin: the gain that another seed alone would show in one case of 1 / alpha.
        alpha: the chance of promoting a model that is no better, at the first look.
    """

    min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.005
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def judge(self, evidence: Evidence) -> Verdict:
        if evidence.champion is None:
            reason = evidence.champion_note or "there is no champion yet"
            return Verdict("beats_champion", "not applicable", f"No comparison: {reason}.")
        least = max(self.min_gain, upper(self.alpha) * _reseeded(evidence))
        level, margin = widened(self.alpha, least, evidence.looks)
        gain = paired_gain(
            evidence.metric,
            evidence.truth,
            evidence.challenger.scores,
            evidence.champion.scores,
            weight=evidence.weight,
            alpha=level,
        )
        needed = gain.needed(margin)
        sentence = (
            f"{_answer(gain, margin)}: gain in {evidence.metric.name} {gain} on {gain.rows:,} rows, "
            f"{needed:+.2%} is needed{_looks(evidence.looks)}."
        )
        numbers = {
            "gain": gain.estimate,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "gain_error": gain.error,
            "needed": needed,
            "margin": margin,
            "level": level,
            "loss": gain.loss,
            "champion_loss": gain.other,
            "rows": float(gain.rows),
            "looks": float(evidence.looks),
        }
        return Verdict("beats_champion", "passed" if gain.estimate > needed else "failed", sentence, numbers)


def _answer(gain: Gain, margin: float) -> str:
    if gain.estimate > gain.needed(margin):
        return "Better"
    if gain.high < 0:
        return "Worse"
    if gain.high <= margin:
        return "No better by the margin"
    more = gain.more_rows(margin)
    return f"Not enough evidence, about {more:,} more rows would tell" if more else "Not enough evidence"


def _reseeded(evidence: Evidence) -> float:
    """Standard deviation of the gain between two seeds, as far as the gate `stable` had others trained; else 0."""
    import numpy as np

    losses = np.asarray(evidence.extra.get("seed_losses", ()), dtype="float64")
    return float(np.sqrt(2) * losses.std(ddof=1) / losses.mean()) if len(losses) > 1 and losses.mean() > 0 else 0.0


def _looks(looks: int) -> str:
    times = "once" if looks == 1 else f"{looks} times"
    return f" (this test set was looked at {times} before)" if looks else ""
