"""What an evaluation found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaflab.values import Shown

if TYPE_CHECKING:
    from leaflab.report.advice import Advice

__all__ = ["Evaluated"]


@dataclass(frozen=True)
class Evaluated(Shown):
    """What an evaluation found.

    Args:
        model: which model, for people.
        run_id: the evaluate run; "" where there was no test set.
        metrics: metric name to value on the test rows.
        rows: test rows.
        advice: what to try next, the most promising first.
        note: why nothing was scored.
    """

    model: str
    run_id: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: int = 0
    advice: tuple[Advice, ...] = ()
    note: str = ""
    exit_code: int = 0

    def __str__(self) -> str:
        if self.note:
            return f"evaluate: not applicable: {self.note}"
        values = "  ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        tips = [f"  {tip.finding}: {tip.command}" for tip in self.advice[:3]]
        return "\n".join(
            [f"{self.model} on {self.rows:,} test rows: {values}", *(["Worth trying:", *tips] if tips else [])]
        )
