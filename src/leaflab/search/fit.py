"""One job for a bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Fit"]


@dataclass(frozen=True)
class Fit:
    """One job for a bench.

    Args:
        model: "" for the swept model, else a baseline's name.
        params: the model's parameters, beside its fixed ones.
        folds: folds to fit one after the other; None stands for all rows.
        seed: the trial's own.
        folder: where fitted models and scores are written.
        threads: LightGBM threads.
        deadline: second of `time.monotonic` at which to stop with what there is.
        rounds: exactly so many boosting rounds, where there is nothing to stop early on.
        shares: shares of the first fold's training rows to be fitted and judged before all of them, growing.

    While it runs, a bench reports ("rounds", progress, value), after each share ("rows", times the first share, value)
    and after each fold ("folds", number, value); the answer is "" to go on, or the state in which to end.
    """

    model: str
    params: Mapping[str, Any]
    folds: tuple[int | None, ...]
    seed: int
    folder: Path
    threads: int = 1
    deadline: float | None = None
    rounds: int | None = None
    shares: tuple[float, ...] = ()
