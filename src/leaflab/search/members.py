"""The fits that a final model is made of: what they cost, what they left, and fitting them in time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leaflab.search.base import Fit

if TYPE_CHECKING:
    from leaflab.executor.base import Pool
    from leaflab.model.base import Fitted, Fold, Problem
    from leaflab.search.base import Place
    from leaflab.search.budget import Budget
    from leaflab.search.stopping import Stopping
    from leaflab.values import Trial

__all__ = ["Members", "Part", "seed"]

_SAFETY = 1.15
_AROUND = 0.03
"""Seconds around a fit: handing it to a worker, and reading what it left."""
_HURRY = 10.0
_NEARLY = 0.7


@dataclass(frozen=True)
class Part:
    """A fit of the final model: a configuration on a fold or all rows (None), with the trial's seed (0) or another."""

    trial: Trial
    fold: int | None
    seed: int = 0


@dataclass
class Members:
    """Fitted parts by configuration, fold and seed.

    Args:
        problem, folds, judged: what is learnt; the first `judged` folds were fitted by every trial.
        pool, budget, stopping, place: where it happens.
        rescaled: whether more rows get more rounds; else a model costs what its trial did.
    """

    problem: Problem
    folds: Sequence[Fold]
    judged: int
    pool: Pool
    budget: Budget
    stopping: Stopping
    place: Place
    rescaled: bool = True
    _fitted: dict[tuple[int, int | None, int], tuple[Path, Path | None]] = field(default_factory=dict)
    _cut: dict[tuple[int, int | None, int], int] = field(default_factory=dict)
    _rounds: dict[int, list[int]] = field(default_factory=dict)
    _asked: float | None = None

    def __contains__(self, part: Part) -> bool:
        return (part.trial.number, part.fold, part.seed) in self._fitted

    def needed(self, parts: Sequence[Part]) -> float:
        """Seconds these fits take with all workers."""
        costs = [self.cost(part) for part in parts]
        return _SAFETY * (sum(costs) / self.pool.size + 0.3 * max(costs, default=0.0))

    def cost(self, part: Part) -> float:
        """Seconds of a fit: that of the trial, without the rounds it waited for a better one, on so many more rows."""
        facts = part.trial.facts
        fit = facts.get("fit_seconds", 0.0) / self.judged
        if part.fold is not None:
            return fit + facts.get("predict_seconds", 0.0) / self.judged + _AROUND
        grown = facts.get("rounds", 0.0) / self.judged
        return fit * self._more_rows * (self._best_round(part.trial) / grown if grown else 1.0) + _AROUND

    def allowed(self, part: Part) -> float:
        """Seconds that must be left for a fit to be begun."""
        return _SAFETY * self.cost(part)

    def scores(self, trial: Trial, number: int) -> np.ndarray:
        known = self._fitted.get((trial.number, number, 0))
        file = known[1] if known and known[1] else Path(str(trial.files)) / f"scores-{number}.npy"
        return np.asarray(np.load(file))

    def keep(self, trial: Trial, number: int) -> None:
        folder = Path(str(trial.files))
        model = next(iter(sorted(folder.glob(f"*-{number}.[tj]*"))), None)
        if model is not None:
            self._fitted[trial.number, number, 0] = (model, folder / f"scores-{number}.npy")

    def left(self) -> float:
        """Seconds there are for fits; few for all of them once the user has asked for an end."""
        left = self.budget.left if self.budget.end is None else self.budget.end - time.monotonic()
        if not self.stopping.asked:
            return left
        self._asked = self._asked or time.monotonic()
        return min(left, self._asked + _HURRY - time.monotonic())

    def fit(self, parts: Sequence[Part]) -> None:
        """Fits in order whatever can be expected to end in time."""
        left = self.left()
        deadline = None if left == float("inf") else time.monotonic() + left
        queue, running = dict(enumerate(parts)), dict[int, Part]()
        while queue or running:
            while len(running) < self.pool.size and (place := self._in_time(queue, deadline)) is not None:
                running[place] = queue.pop(place)
                self.pool.submit(place, self._job(running[place], deadline))
            if not running:
                break
            for event in self.pool.events(0.25, lambda number, report: "deadline" * (self.left() <= 0)):
                part = running.pop(event.number)
                event.must_have_had_room()
                if event.kind == "done":
                    self._take(part, event.result)

    def _in_time(self, queue: Mapping[int, Part], deadline: float | None) -> int | None:
        left = float("inf") if deadline is None else deadline - time.monotonic()
        return next((place for place, part in queue.items() if self.allowed(part) < left), None)

    def _job(self, part: Part, deadline: float | None) -> Fit:
        trial = part.trial
        rounds = self.whole(trial) if part.fold is None else None
        folder = self.place.folder / "members" / f"{trial.number:04d}" / str(part.seed)
        own = seed(trial, part.seed)
        return Fit("", trial.params, (part.fold,), own, folder, self.pool.threads, deadline, rounds)

    @property
    def _more_rows(self) -> float:
        """All rows for each row that a trial learnt from."""
        return len(self.problem.target) / float(np.mean([len(self.folds[f][0]) for f in range(self.judged)]))

    def _best_round(self, trial: Trial) -> float:
        own = [trial.facts.get(f"rounds/{f}", 0.0) for f in range(self.judged)]
        return float(np.mean([*own, *self._rounds.get(trial.number, [])]))

    def whole(self, trial: Trial) -> int:
        """Rounds on all rows: the best number on the folds, as a rule rescaled to the rows there are to learn from."""
        return max(1, round(self._best_round(trial) * (self._more_rows if self.rescaled else 1.0)))

    def rounds(self, trial: Trial, fold: int | None, another: int) -> int | None:
        """Rounds that a member has to be given to be made again; None where it stops by itself."""
        return self.whole(trial) if fold is None else self._cut.get((trial.number, fold, another))

    def _take(self, part: Part, fitted: Fitted) -> None:
        """Keeps a member, unless the deadline cut it long before its time."""
        usual = part.trial.facts.get("rounds/0", 0.0)
        grown = fitted.rounds[0] if fitted.rounds else 0
        if fitted.models and (fitted.state == "complete" or grown >= _NEARLY * usual):
            files = fitted.models[0], fitted.scores[0] if fitted.scores else None
            place = part.trial.number, part.fold, part.seed
            self._fitted[place] = files
            if fitted.state != "complete":
                self._cut[place] = grown
            if part.fold is not None:
                self._rounds.setdefault(part.trial.number, []).append(grown)

    def text(self, trial: Trial, fold: int | None, another: int) -> str:
        return self._fitted[trial.number, fold, another][0].read_text(encoding="utf-8")

    def own(self, trial: Trial) -> list[tuple[int | None, int]]:
        """Fold and seed of a configuration's members in order: its fits on all rows, or where there are none those on
        folds."""
        every = [(fold, seed) for number, fold, seed in self._fitted if number == trial.number]
        return sorted([own for own in every if own[0] is None] or every, key=lambda own: (own[0] or 0, own[1]))


def seed(trial: Trial, another: int) -> int:
    """A part's seed: the trial's own for 0."""
    return (trial.seed + another) % 2**31
