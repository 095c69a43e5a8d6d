"""A model must be worth its complexity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.paired import paired_gain
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["BeatsBaseline"]


@option
class BeatsBaseline(Gate):
    """The challenger must beat the constant and the linear model on the same rows; one of its own kind is passed over.

    A paired bootstrap against each, one-sided at level alpha. All baselines must be beaten (an intersection-union
    test), so the level needs no correction for their number.

    Args:
        alpha: the chance of passing a model that is no better.
        surely: the baselines that must be beaten beyond doubt; the others must not be better in the estimate, which a
            small table can show where proof is out of reach.
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    surely: tuple[str, ...] = ("dummy",)

    def judge(self, evidence: Evidence) -> Verdict:
        own = evidence.challenger.facts.get("kind")
        rivals = {name: b for name, b in evidence.baselines.items() if b.facts.get("kind", name) != own}
        if not rivals:
            return Verdict("beats_baseline", "not applicable", "There is no baseline of another kind to compare with.")
        gains = {
            name: paired_gain(
                evidence.metric,
                evidence.truth,
                evidence.challenger.scores,
                rival.scores,
                weight=evidence.weight,
                alpha=self.alpha,
            )
            for name, rival in rivals.items()
        }
        beaten = all((gain.low if name in self.surely else gain.estimate) > 0 for name, gain in gains.items())
        parts = []
        for name, gain in gains.items():
            more = gain.more_rows(0.0) if gain.low <= 0 < gain.estimate and name in self.surely else None
            hint = f", not enough evidence: about {more:,} more rows would tell" if more else ""
            parts.append(f"{gain} against {name}{hint}")
        sentence = f"Gain in {evidence.metric.name}: {'; '.join(parts)}; it must be above 0 against each."
        numbers = {f"gain_over_{name}": gain.estimate for name, gain in gains.items()}
        return Verdict("beats_baseline", "passed" if beaten else "failed", sentence, numbers)
