"""The budget of a sweep: seconds, trials, or whichever ends first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Budget"]

_MARGIN = 0.4


@dataclass
class Budget:
    """Counts from "dataset loaded"; what earlier runs of the same sweep spent counts too.

    Args:
        seconds: total wall-clock seconds; None for no limit.
        trials: total trials; None for no limit.
        spent: seconds of earlier runs.
    """

    seconds: float | None
    trials: int | None
    spent: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        return self.spent + time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left; infinite where only trials count."""
        return float("inf") if self.seconds is None else self.seconds - self.used

    @property
    def end(self) -> float | None:
        """The monotonic second at which the last fit must stop, so that the model is written in time."""
        if self.seconds is None:
            return None
        return self.started + self.seconds - self.spent - min(_MARGIN, 0.05 * self.seconds)

    def reached(self, trials: int) -> bool:
        return self.left <= 0 or (self.trials is not None and trials >= self.trials)
