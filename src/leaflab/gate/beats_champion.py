"""A challenger must be better than the champion by enough to be worth the change, beyond doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.paired import Gain, paired_gain, spent_alpha
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["BeatsChampion"]


@option
class BeatsChampion(Gate):
    """The lower bound of the challenger's gain over the champion must exceed a margin, on rows neither model has seen.

    The gain is relative: 0.01 takes one percent off the champion's loss (of 1 - value for a metric to maximise). Three
    answers: better, worse, or not enough evidence and about how many more rows would tell. The level shrinks with the
    looks at the same test set (`gate.paired.spent_alpha`), so that the gain a challenger must show widens.

    Args:
        min_gain: the margin; it also covers what another seed alone would gain.
        alpha: the chance of promoting a model that is no better by the margin, at the first look.
    """

    min_gain: Annotated[float, Field(ge=0, lt=1)] = 0.005
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def judge(self, evidence: Evidence) -> Verdict:
        if evidence.champion is None:
            reason = evidence.champion_note or "there is no champion yet"
            return Verdict("beats_champion", "not applicable", f"No comparison: {reason}.")
        gain = paired_gain(
            evidence.metric,
            evidence.truth,
            evidence.challenger.scores,
            evidence.champion.scores,
            weight=evidence.weight,
            alpha=spent_alpha(self.alpha, evidence.looks),
        )
        better = gain.low > self.min_gain
        sentence = (
            f"{self._answer(gain)}: gain in {evidence.metric.name} {gain} on {gain.rows:,} rows, "
            f"the lower bound must be above {self.min_gain:+.2%}{_looks(evidence.looks, gain.alpha)}."
        )
        numbers = {
            "gain": gain.estimate,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "gain_error": gain.error,
            "margin": self.min_gain,
            "needed": self.min_gain + gain.estimate - gain.low,
            "level": gain.alpha,
            "loss": gain.loss,
            "champion_loss": gain.other,
            "rows": float(gain.rows),
            "looks": float(evidence.looks),
        }
        return Verdict("beats_champion", "passed" if better else "failed", sentence, numbers)

    def _answer(self, gain: Gain) -> str:
        if gain.low > self.min_gain:
            return "Better"
        if gain.high < 0:
            return "Worse"
        if gain.high <= self.min_gain:
            return "No better by the margin"
        more = gain.more_rows(self.min_gain)
        return f"Not enough evidence, about {more:,} more rows would tell" if more else "Not enough evidence"


def _looks(looks: int, alpha: float) -> str:
    if not looks:
        return ""
    times = "once" if looks == 1 else f"{looks} times"
    return f" (this test set was looked at {times} before, so the level is {alpha:.2%})"
