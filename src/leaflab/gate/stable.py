"""A model must not owe its place to a lucky seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Stable"]


@option
class Stable(Gate):
    """Training with other seeds, on nine tenths of the rows, must give about the same loss on the validation rows.

    Args:
        at_most: largest spread (standard deviation over mean) of the loss between seeds.
    """

    at_most: Annotated[float, Field(gt=0)] = 0.02

    def judge(self, evidence: Evidence) -> Verdict:
        import numpy as np

        losses = np.asarray(evidence.extra.get("seed_losses", ()), dtype="float64")
        if len(losses) < 2 or not losses.mean() > 0:
            return Verdict("stable", "not applicable", "The model was not trained again with other seeds.")
        spread = float(losses.std(ddof=1) / losses.mean())
        sentence = f"The loss of {len(losses)} seeds spreads by {spread:.2%}, at most {self.at_most:.2%} is allowed."
        numbers = {"spread": spread, "seeds": float(len(losses))}
        return Verdict("stable", "passed" if spread <= self.at_most else "failed", sentence, numbers)
