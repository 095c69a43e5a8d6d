"""How far a sweep is: a live bar on a terminal, a line now and then where the output goes to a file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from leaflab.values import Trial

__all__ = ["Watcher", "progress"]

_log = logging.getLogger(__name__)
_EVERY_SECONDS = 10.0
_TICK_SECONDS = 0.25


class Watcher(Protocol):
    """Is told of every finished trial."""

    def __call__(self, trial: Trial) -> None: ...


@dataclass
class _Count:
    """What both views show: trials finished, the best value so far, and how fast they come."""

    metric: str
    direction: Literal["minimize", "maximize"]
    trials: int | None
    seconds: float | None
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    best: float | None = None
    best_number: int = 0

    def add(self, trial: Trial) -> bool:
        """Counts a trial; tells whether it is the best so far."""
        self.done += 1
        sign = 1.0 if self.direction == "minimize" else -1.0
        if trial.value is None or trial.state in ("failed", "pruned"):
            return False
        if self.best is not None and sign * trial.value >= sign * self.best:
            return False
        self.best, self.best_number = trial.value, trial.number
        return True

    @property
    def used(self) -> float:
        return time.monotonic() - self.started

    @property
    def text(self) -> str:
        total = f" of {self.trials}" if self.trials else ""
        best = "" if self.best is None else f"  best {self.metric} {self.best:.6g} (trial {self.best_number})"
        left = "" if self.seconds is None else f"  {max(0.0, self.seconds - self.used):.0f} s left"
        rate = f"  {self.done / self.used:.1f} trials/s" if self.used > 1 else ""
        return f"trial {self.done}{total}{best}{left}{rate}"

    @property
    def share(self) -> float:
        """How much of the budget is spent, 0 to 1; the nearer end counts where there are two."""
        parts = [self.used / self.seconds] if self.seconds else []
        parts += [self.done / self.trials] if self.trials else []
        return min(1.0, max(parts, default=0.0))


@contextmanager
def progress(
    metric: str, direction: Literal["minimize", "maximize"], *, trials: int | None, seconds: float | None
) -> Iterator[Watcher]:
    """Shows a sweep's progress while the block runs.

    Args:
        metric: the objective's name.
        direction: which way is better.
        trials: the budget in trials, or None.
        seconds: the budget in seconds, or None.
    """
    count = _Count(metric, direction, trials, seconds)
    live = sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
    with _bar(count) if live else _lines(count) as watch:
        yield watch


@contextmanager
def _lines(count: _Count) -> Iterator[Watcher]:
    """A line for the first trial, then at most one in ten seconds."""
    told = -_EVERY_SECONDS

    def watch(trial: Trial) -> None:
        nonlocal told
        count.add(trial)
        if count.used - told >= _EVERY_SECONDS:
            told = count.used
            _log.info("  %s", count.text)

    yield watch


@contextmanager
def _bar(count: _Count) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    def drawn() -> Any:
        row = Table.grid(padding=(0, 2))
        row.add_row(ProgressBar(total=1.0, completed=count.share, width=30), count.text)
        return row

    live = Live(
        get_renderable=drawn, console=Console(stderr=True), refresh_per_second=1 / _TICK_SECONDS, transient=True
    )
    with live:
        yield lambda trial: (count.add(trial), None)[1]
