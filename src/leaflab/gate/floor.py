"""A model must be good for something, whatever it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from leaflab.gate.base import Gate
from leaflab.option import option
from leaflab.values import Verdict

if TYPE_CHECKING:
    from leaflab.values import Evidence

__all__ = ["Floor"]


@option
class Floor(Gate):
    """The challenger's metrics must keep within limits.

    Args:
        at_least: metric to the value it must exceed; metrics of other tasks are passed over.
        at_most: metric to the value it must not exceed.
    """

    at_least: Mapping[str, float] = Field(default_factory=lambda: {"roc_auc": 0.5, "r2": 0.0})
    at_most: Mapping[str, float] = Field(default_factory=dict)

    def judge(self, evidence: Evidence) -> Verdict:
        metrics = evidence.challenger.metrics
        low = [
            (name, limit, "above", metrics[name] > limit) for name, limit in self.at_least.items() if name in metrics
        ]
        high = [
            (name, limit, "at most", metrics[name] <= limit) for name, limit in self.at_most.items() if name in metrics
        ]
        checks = low + high
        if not checks:
            known = ", ".join(sorted({*self.at_least, *self.at_most})) or "no metric"
            return Verdict("floor", "not applicable", f"It limits {known}, which these rows do not define.")
        said = [f"{name} {metrics[name]:.4g} must be {word} {limit:.4g}" for name, limit, word, _ in checks]
        numbers = {name: metrics[name] for name, *_ in checks}
        return Verdict(
            "floor", "passed" if all(kept for *_, kept in checks) else "failed", "; ".join(said) + ".", numbers
        )
