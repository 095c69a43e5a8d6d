"""A model must be worth its complexity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.gate.paired import Gain, paired_gain
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["BeatsBaseline"]


@option
class BeatsBaseline(Gate):
    """The challenger must beat the constant and the linear model on the same rows; one of its own kind is passed over.

    Beyond doubt means: by more than predictions exchanged at random would show at level alpha (`gate.exchange`), which
    holds on few rows and with wild losses too. All baselines must be beaten (an intersection-union test), so the level
    needs no correction for their number.

    Args:
        alpha: the chance of passing a model that is no better.
        surely: the baselines that must be beaten beyond doubt; the others must not be better by more than `tie`, which
            a small table can show where proof is out of reach.
        tie: the gain that decides nothing, because another seed alone would show it.
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    surely: tuple[str, ...] = ("dummy",)
    tie: Annotated[float, Field(ge=0, lt=1)] = 0.005

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
        if not all(gain.defined for gain in gains.values()):
            sentence = f"No comparison: these {len(evidence.truth):,} rows do not define {evidence.metric.name}."
            return Verdict("beats_baseline", "not applicable", sentence)
        beaten = all(gain.estimate > self._needed(name, gain) for name, gain in gains.items())
        parts = [f"{gain} against {name}, {self._asked(name, gain)}" for name, gain in gains.items()]
        numbers = {f"gain_over_{name}": gain.estimate for name, gain in gains.items()}
        numbers |= {f"needed_over_{name}": self._needed(name, gain) for name, gain in gains.items()}
        sentence = f"Gain in {evidence.metric.name}: {'; '.join(parts)}."
        return Verdict("beats_baseline", "passed" if beaten else "failed", sentence, numbers)

    def _needed(self, name: str, gain: Gain) -> float:
        return gain.needed(0.0) if name in self.surely else -self.tie

    def _asked(self, name: str, gain: Gain) -> str:
        needed = self._needed(name, gain)
        if gain.estimate > needed:
            return f"more than {needed:+.2%} is needed"
        if name not in self.surely:
            return f"which serves as well: more than {needed:+.2%} is needed (or sweep with model={name})"
        more = gain.more_rows(0.0) if gain.estimate > 0 else None
        hint = f", about {more:,} more rows would tell" if more else ""
        return f"not enough evidence: more than {needed:+.2%} is needed{hint}"
