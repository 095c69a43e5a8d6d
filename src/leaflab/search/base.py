"""A search finds the best model of a problem within a budget."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaflab.search.fit import Fit
from leaflab.search.found import Found

if TYPE_CHECKING:
    import numpy as np

    from leaflab.executor.base import Executor
    from leaflab.model.base import Model, Problem
    from leaflab.values import Trial

__all__ = ["Fit", "Found", "Measure", "Place", "Search"]


@dataclass(frozen=True)
class Measure:
    """Something that answers can be judged by: `of` takes row numbers of the problem and their scores."""

    direction: Literal["minimize", "maximize"]
    of: Callable[[np.ndarray, np.ndarray], float]


def _nothing(name: str) -> None:
    """No measures but the costs of a trial."""


@dataclass(frozen=True)
class Place:
    """Where a sweep lives and who watches it.

    Args:
        id: the sweep id; its journal continues where it stands.
        folder: the sweep's own folder (journal, lock, bins, models).
        seed: every random choice follows from it.
        baselines: models fitted for comparison, by name.
        watch: called once with every finished trial, as they finish; after a restart with all of them again.
        earlier: parameters of earlier sweeps to try first.
        measure: what an objective's name means where it is no cost of a trial; None for an unknown one.
        started: the monotonic second at which the dataset was loaded, from which the budget counts.
    """

    id: str
    folder: Path
    seed: int
    baselines: Mapping[str, Model]
    watch: Callable[[Trial], None]
    earlier: tuple[Mapping[str, Any], ...] = ()
    measure: Callable[[str], Measure | None] = _nothing
    started: float = field(default_factory=time.monotonic)

    def trial(self, number: int) -> Path:
        """Where a trial leaves its files."""
        return self.folder / "trials" / f"{number:04d}"


class Search(ABC):
    """Contract: the same command continues the same sweep; nothing finished is lost or done twice."""

    @property
    @abstractmethod
    def key(self) -> Mapping[str, Any]:
        """What of this search can change a trial or the final model, as plain values; the budget is no part of it."""

    @property
    @abstractmethod
    def budget(self) -> str:
        """The budget in a run's name: `60 s`, `200 trials`."""

    @abstractmethod
    def run(self, problem: Problem, model: Model, executor: Executor, place: Place) -> Found:
        """Searches, refits and returns.

        Raises:
            ConfigError: a parameter or an option that does not fit, before the first trial; another driver at work.
            Interrupted: stopped twice, or before the first trial finished.
        """
