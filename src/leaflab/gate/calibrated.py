"""Probabilities must mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Calibrated"]


@option
class Calibrated(Gate):
    """The expected calibration error must be small; it is biased upwards on few rows, so a pass is on the safe side.

    Args:
        at_most: largest expected calibration error, 0 to 1.
    """

    at_most: Annotated[float, Field(gt=0, le=1)] = 0.05

    def judge(self, evidence: Evidence) -> Verdict:
        error = evidence.challenger.metrics.get("ece")
        if error is None:
            return Verdict("calibrated", "not applicable", "The model gives no probabilities.")
        sentence = f"Expected calibration error {error:.4f}, at most {self.at_most:.4f} is allowed."
        return Verdict("calibrated", "passed" if error <= self.at_most else "failed", sentence, {"ece": error})
