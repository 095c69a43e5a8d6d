"""A better average must not be paid for by some of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.exchange import upper
from leaflab.gate.paired import sliced_gains
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["NoSliceWorse"]


@option
class NoSliceWorse(Gate):
    """No category, quantile, period or gap of any column may be surely worse than under the champion.

    A slice is surely worse when its loss rises by more than the tolerance beyond doubt: a one-sided normal bound on the
    paired difference, its level divided by the number of slices (Bonferroni). Slices of fewer than 30 rows are passed
    over: there the bound would not hold.

    Args:
        tolerance: the rise of a slice's loss that is let pass, as a share of the champion's loss there.
        alpha: the chance of finding a worse slice where there is none.
    """

    tolerance: Annotated[float, Field(ge=0)] = 0.02
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def judge(self, evidence: Evidence) -> Verdict:
        slices = {name: mask for name, mask in evidence.extra.get("slices", {}).items() if mask.sum() >= 30}
        if evidence.champion is None and not evidence.champion_note:
            return Verdict("no_slice_worse", "passed", "There is no champion yet who served any slice better.")
        if evidence.champion is None or not slices:
            reason = evidence.champion_note or "no slice has 30 rows"
            return Verdict("no_slice_worse", "not applicable", f"No slice was compared: {reason}.")
        scores, other = evidence.challenger.scores, evidence.champion.scores
        gains = sliced_gains(evidence.metric, evidence.truth, scores, other, list(slices.values()))
        if gains is None:
            reason = f"{evidence.metric.name} is no mean over rows"
            return Verdict("no_slice_worse", "not applicable", f"No slice was compared: {reason}.")
        bound = upper(self.alpha / len(slices))
        highs = {name: gain + bound * error for name, (gain, error) in zip(slices, gains, strict=True)}
        worse = sorted((name for name in highs if highs[name] < -self.tolerance), key=lambda name: highs[name])
        numbers = {"slices": float(len(slices)), "worse": float(len(worse))}
        if worse:
            estimate = dict(zip(slices, gains, strict=True))[worse[0]][0]
            more = f" and {len(worse) - 1} more slices" if len(worse) > 1 else ""
            say = f"Surely worse where {worse[0]} (gain {estimate:+.1%}){more}, of {len(slices)} slices."
            return Verdict("no_slice_worse", "failed", say, numbers)
        return Verdict("no_slice_worse", "passed", f"None of {len(slices)} slices is surely worse.", numbers)
