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

_USUAL = {"roc_auc", "r2"}


@option
class Floor(Gate):
    """The challenger's metrics must keep within limits.

    Args:
        at_least: metric to the value it must exceed; of `roc_auc` and `r2`, one is of another task and passed over.
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
        asked = {*self.at_least, *self.at_most}
        missed = sorted(asked - set(metrics) - _USUAL) or ([] if checks else sorted(asked))
        if missed or not checks:
            known = ", ".join(missed) or "no metric"
            return Verdict("floor", "not applicable", f"It limits {known}, which these rows do not define.")
        said = [f"{name} {metrics[name]:.4g} must be {word} {limit:.4g}" for name, limit, word, _ in checks]
        numbers = {name: metrics[name] for name, *_ in checks}
        return Verdict(
            "floor", "passed" if all(kept for *_, kept in checks) else "failed", "; ".join(said) + ".", numbers
        )
