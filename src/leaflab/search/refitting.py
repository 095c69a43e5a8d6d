"""The final model: the best configurations, fitted once more on all rows, and averaged.

What a trial held back to be judged on is worth more as rows to learn from than as another fold: at the same number of
rounds for a row, a few seeds on all rows beat the average of five folds of the same configurations, at half the cost.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.identity import fold as identity
from leaflab.search.base import Fit
from leaflab.search.blending import greedy
from leaflab.search.driving import counts
from leaflab.search.frontier import fastest, frontier

if TYPE_CHECKING:
    from leaflab.executor.base import Pool
    from leaflab.model.base import Fitted, Fold, Model, Problem
    from leaflab.search.base import Place
    from leaflab.search.budget import Budget
    from leaflab.search.stopping import Stopping
    from leaflab.values import Trial

__all__ = ["Final", "Part", "Refit"]

_CANDIDATES = 12
_STEPS = 10
_SEEDS = 2
_MOST_SEEDS = 4
_MOST = 0.5
_SAFETY = 1.15
_HURRY = 10.0
_NEARLY = 0.7


@dataclass(frozen=True)
class Final:
    """The refitted model: texts of its members with their weights, how it is made (for people, and as trial, fold,
    rounds and seed of each text), and its configurations' metrics on rows they were not fitted on to be judged."""

    texts: tuple[str, ...]
    weights: tuple[float, ...]
    members: tuple[str, ...]
    metrics: dict[str, float]
    made: tuple[dict[str, Any], ...] = ()

    @property
    def digest(self) -> str:
        return identity({"texts": self.texts, "weights": self.weights})


@dataclass(frozen=True)
class Part:
    """A fit of the final model: a configuration on a fold or all rows (None), with the trial's seed (0) or another."""

    trial: Trial
    fold: int | None
    seed: int = 0


@dataclass
class Refit:
    """Chooses configurations and fits them within the time left.

    Args:
        kind: "best" refits the best trial on all rows, "bag" averages its folds, "blend" refits the best `top` on all
            rows with several seeds, "fastest" the fastest trial within `within` of the best, cut to the fewest trees.
        top: configurations of a blend.
        problem, model, folds, judged: what is learnt, and by what; the first `judged` folds were fitted by every trial.
        pool, budget, stopping, place: where it happens.
    """

    kind: str
    top: int
    problem: Problem
    model: Model
    folds: Sequence[Fold]
    judged: int
    pool: Pool
    budget: Budget
    stopping: Stopping
    place: Place
    within: float = 0.005
    _fitted: dict[tuple[int, int | None, int], tuple[Path, Path | None]] = field(default_factory=dict)
    _chosen_for: tuple[int, ...] = ()
    _reserved: float = 0.0

    def reserve(self, trials: Sequence[Trial]) -> float:
        """Seconds the final model will take, from what its trials took; a share of the budget at most."""
        if self.budget.seconds is None:
            return 0.0
        known = tuple(t.number for t in trials if counts(t))
        if known != self._chosen_for:
            self._chosen_for, self._reserved = known, self._needed(self._parts(self._choose(trials, float("inf"))))
        return min(_MOST * self.budget.seconds, self._reserved + 0.02 * self.budget.seconds)

    def run(self, trials: Sequence[Trial]) -> Final:
        """The final model from the finished trials, at least one of which has a model."""
        chosen = self._choose(trials, self._left()) if self.kind != "fastest" else self._fastest(trials)
        for trial in chosen:
            for number in range(self.judged):
                self._keep(trial, number)
        self._fit(self._parts(chosen, _SEEDS if self.budget.seconds is None else _MOST_SEEDS))
        return self._final(chosen)

    def _parts(self, chosen: Sequence[Trial], seeds: int = _SEEDS) -> list[Part]:
        """What is still to be fitted, one pass over the configurations after the other, so that a deadline leaves
        something of each."""
        if self.kind == "bag" and len(self.folds) > 1:
            return [Part(t, n) for t in chosen for n in range(self.judged, len(self.folds))]
        passes = seeds if self.kind == "blend" else 1
        return [Part(t, None, s) for s in range(passes) for t in chosen if s == 0 or self.model.varies(t.params)]

    def _needed(self, parts: Sequence[Part]) -> float:
        """Seconds these fits take with all workers."""
        costs = [self._cost(part) for part in parts]
        return _SAFETY * (sum(costs) / self.pool.size + 0.3 * max(costs, default=0.0))

    def _cost(self, part: Part) -> float:
        """Seconds of a fit: that of the trial, without the rounds it waited for a better one, on so many more rows."""
        facts = part.trial.facts
        fit = facts.get("fit_seconds", 0.0) / self.judged
        if part.fold is not None:
            return fit + facts.get("predict_seconds", 0.0) / self.judged + 0.1
        grown = facts.get("rounds", 0.0) / self.judged
        return fit * self._more_rows * (self._best_round(part.trial) / grown if grown else 1.0) + 0.1

    def _fastest(self, trials: Sequence[Trial]) -> list[Trial]:
        """The fastest trial that is good enough, as if it had stopped there."""
        point = fastest(frontier(trials, self.problem.metric), self.problem.metric, self.within)
        trial = next(t for t in trials if t.number == point.trial)
        cut = {f"rounds/{f}": float(point.rounds) for f in range(self.judged)}
        return [replace(trial, facts={**trial.facts, **cut})]

    def _choose(self, trials: Sequence[Trial], seconds: float) -> list[Trial]:
        """The configurations of the final model, the heaviest first, as many as can be fitted in the time left.

        Where not even one fit of each would be done in time, the one that costs most for its weight is given up.
        """
        ranked = self._best(trials)[:_CANDIDATES]
        while True:
            weights = self._weights(ranked, range(self.judged)) if self.kind == "blend" and ranked else [1.0]
            pairs = sorted(zip(weights, ranked, strict=False), key=lambda pair: -pair[0])
            chosen = [(weight, trial) for weight, trial in pairs if weight > 0][: self.top]
            if len(chosen) < 2 or self._needed([Part(t, None) for _, t in chosen]) <= seconds:
                return [trial for _, trial in chosen]
            costly = max(chosen, key=lambda pair: self._cost(Part(pair[1], None)) / pair[0])[1]
            ranked = [t for t in ranked if t.number != costly.number]

    def _best(self, trials: Sequence[Trial]) -> list[Trial]:
        sign = 1.0 if self.problem.metric.direction == "minimize" else -1.0
        return sorted((t for t in trials if counts(t)), key=lambda t: (sign * (t.value or 0.0), t.number))

    def _weights(self, trials: Sequence[Trial], folds: Any) -> list[float]:
        """Weights of configurations from their scores on held-out rows."""
        scores = [np.concatenate([self._scores(t, f) for f in folds]) for t in trials]
        return greedy(scores, *self._truth(folds), self.problem.metric, _STEPS)

    def _truth(self, folds: Any) -> tuple[np.ndarray, np.ndarray | None]:
        rows = np.concatenate([np.sort(self.folds[f][1]) for f in folds])
        return self.problem.target[rows], None if self.problem.weight is None else self.problem.weight[rows]

    def _scores(self, trial: Trial, number: int) -> np.ndarray:
        known = self._fitted.get((trial.number, number, 0))
        file = known[1] if known and known[1] else Path(str(trial.files)) / f"scores-{number}.npy"
        return np.asarray(np.load(file))

    def _keep(self, trial: Trial, number: int) -> None:
        folder = Path(str(trial.files))
        model = next(iter(sorted(folder.glob(f"*-{number}.[tj]*"))), None)
        if model is not None:
            self._fitted[trial.number, number, 0] = (model, folder / f"scores-{number}.npy")

    def _left(self) -> float:
        left = self.budget.left if self.budget.end is None else self.budget.end - time.monotonic()
        return min(left, _HURRY) if self.stopping.asked else left

    def _fit(self, parts: Sequence[Part]) -> None:
        """Fits in order whatever can be expected to end in time."""
        left = self._left()
        deadline = None if left == float("inf") else time.monotonic() + left
        queue, running = dict(enumerate(parts)), dict[int, Part]()
        while queue or running:
            while len(running) < self.pool.size and (place := self._in_time(queue, deadline)) is not None:
                running[place] = queue.pop(place)
                self.pool.submit(place, self._job(running[place], deadline))
            if not running:
                break
            for event in self.pool.events(0.25, lambda number, report: ""):
                part = running.pop(event.number)
                if event.kind == "done":
                    self._take(part, event.result)

    def _in_time(self, queue: Mapping[int, Part], deadline: float | None) -> int | None:
        left = float("inf") if deadline is None else deadline - time.monotonic()
        return next((place for place, part in queue.items() if _SAFETY * self._cost(part) < left), None)

    def _job(self, part: Part, deadline: float | None) -> Fit:
        trial = part.trial
        rounds = self._whole(trial) if part.fold is None else None
        folder = self.place.folder / "members" / f"{trial.number:04d}" / str(part.seed)
        seed = _seed(trial, part.seed)
        return Fit("", trial.params, (part.fold,), seed, folder, self.pool.threads, deadline, rounds)

    @property
    def _more_rows(self) -> float:
        """All rows for each row that a trial learnt from."""
        return len(self.problem.target) / float(np.mean([len(self.folds[f][0]) for f in range(self.judged)]))

    def _best_round(self, trial: Trial) -> float:
        return float(np.mean([trial.facts.get(f"rounds/{f}", 0.0) for f in range(self.judged)]))

    def _whole(self, trial: Trial) -> int:
        """Rounds on all rows: the best number on the folds, rescaled to the rows there are to learn from."""
        return max(1, round(self._best_round(trial) * self._more_rows))

    def _take(self, part: Part, fitted: Fitted) -> None:
        """Keeps a member, unless the deadline cut it long before its time."""
        usual = part.trial.facts.get("rounds/0", 0.0)
        grown = fitted.rounds[0] if fitted.rounds else 0
        if fitted.models and (fitted.state == "complete" or grown >= _NEARLY * usual):
            files = fitted.models[0], fitted.scores[0] if fitted.scores else None
            self._fitted[part.trial.number, part.fold, part.seed] = files

    def _own(self, trial: Trial) -> list[tuple[int | None, int]]:
        """Fold and seed of a configuration's members: its fits on all rows, or where there are none those on folds."""
        every = [(fold, seed) for number, fold, seed in self._fitted if number == trial.number]
        return [own for own in every if own[0] is None] or every

    def _final(self, chosen: Sequence[Trial]) -> Final:
        whole = [t for t in chosen if any(fold is None for fold, _ in self._own(t))]
        used = whole or list(chosen[:1])
        folds = range(self.judged) if whole else [fold for fold, _ in self._own(used[0])]
        shares = self._weights(used, folds) if len(used) > 1 else [1.0]
        texts: list[str] = []
        weights: list[float] = []
        members: list[str] = []
        made: list[dict[str, Any]] = []
        for trial, share in zip(used, shares, strict=True):
            own = self._own(trial)
            if share > 0:
                texts += [self._fitted[trial.number, *part][0].read_text(encoding="utf-8") for part in own]
                weights += [share / len(own)] * len(own)
                rounds = self._whole(trial) if whole else None
                made += [{"trial": trial.number, "fold": n, "rounds": rounds, "seed": _seed(trial, s)} for n, s in own]
                members.append(f"trial {trial.number} on {_where(own)}, weight {share:.2f}")
        return Final(tuple(texts), tuple(weights), tuple(members), self._metrics(used, shares, folds), tuple(made))

    def _metrics(self, used: Sequence[Trial], shares: Sequence[float], folds: Any) -> dict[str, float]:
        """Metrics of the blend as fitted without the rows it is judged on here."""
        truth, weight = self._truth(folds)
        each = [np.concatenate([self._scores(t, f) for f in folds]) for t in used]
        blended = np.sum([share * s for share, s in zip(shares, each, strict=True)], axis=0)
        found = self.problem.score(self.problem.task, truth, blended, weight)
        return {f"oof/{name}": value for name, value in found.items()}


def _seed(trial: Trial, another: int) -> int:
    return (trial.seed + another) % 2**31


def _where(own: Sequence[tuple[int | None, int]]) -> str:
    if own[0][0] is None:
        return f"all rows with {len(own)} seeds" if len(own) > 1 else "all rows"
    return f"{len(own)} folds" if len(own) > 1 else "the training rows"
