"""Limits on what a model costs: seconds to answer, bytes to keep, seconds to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Latency", "Size", "TrainingTime"]


@option
class Latency(Gate):
    """Scoring a thousand rows must not take longer than allowed; measured on the machine that judges.

    Args:
        at_most: milliseconds for 1,000 rows.
    """

    at_most: Annotated[float, Field(gt=0)] = 1000.0

    def judge(self, evidence: Evidence) -> Verdict:
        return _judged("latency", evidence.challenger.facts.get("ms_per_1k_rows"), self.at_most, "ms for 1,000 rows")


@option
class Size(Gate):
    """The model's files must not be larger than allowed.

    Args:
        at_most: megabytes.
    """

    at_most: Annotated[float, Field(gt=0)] = 200.0

    def judge(self, evidence: Evidence) -> Verdict:
        size = evidence.challenger.facts.get("bytes")
        return _judged("size", None if size is None else size / 1e6, self.at_most, "MB")


@option
class TrainingTime(Gate):
    """Making the model (search and refit together) must not have taken longer than allowed.

    Args:
        at_most: seconds.
    """

    at_most: Annotated[float, Field(gt=0)] = 3600.0

    def judge(self, evidence: Evidence) -> Verdict:
        facts = evidence.challenger.facts
        known = (facts.get(f"run/time/{phase}_seconds") for phase in ("total", "fit"))
        return _judged("training_time", next((s for s in known if s is not None), None), self.at_most, "s to train")


def _judged(name: str, value: float | None, limit: float, unit: str) -> Verdict:
    if value is None:
        return Verdict(name, "not applicable", f"It was not recorded ({unit}).")
    sentence = f"{value:.4g} {unit}, at most {limit:.4g} is allowed."
    return Verdict(name, "passed" if value <= limit else "failed", sentence, {"value": float(value), "limit": limit})
