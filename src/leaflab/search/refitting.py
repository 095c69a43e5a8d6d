"""The final model: the best configurations fitted on the other folds too, and averaged."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    from leaflab.model.base import Fitted, Fold, Problem
    from leaflab.search.base import Place
    from leaflab.search.budget import Budget
    from leaflab.search.stopping import Stopping
    from leaflab.values import Trial

__all__ = ["Final", "Refit"]

_CANDIDATES = 12
_STEPS = 10
_MOST = 0.65
_SAFETY = 1.15
_HURRY = 10.0
_NEARLY = 0.7


@dataclass(frozen=True)
class Final:
    """The refitted model: texts of its members with their weights, how it is made (for people, and as trial, fold
    and rounds of each text), and its out-of-fold metrics."""

    texts: tuple[str, ...]
    weights: tuple[float, ...]
    members: tuple[str, ...]
    metrics: dict[str, float]
    made: tuple[dict[str, Any], ...] = ()

    @property
    def digest(self) -> str:
        return identity({"texts": self.texts, "weights": self.weights})


@dataclass
class Refit:
    """Chooses configurations and fits their members within the time left.

    Args:
        kind: "best" refits the best trial on all rows, "bag" averages its folds, "blend" the folds of the best `top`,
            "fastest" refits the fastest trial within `within` of the best, cut to the fewest trees.
        top: configurations of a blend.
        problem, folds, judged: what is learnt; the first `judged` folds were fitted by every trial.
        pool, budget, stopping, place: where it happens.
    """

    kind: str
    top: int
    problem: Problem
    folds: Sequence[Fold]
    judged: int
    pool: Pool
    budget: Budget
    stopping: Stopping
    place: Place
    within: float = 0.005
    _members: dict[tuple[int, int | None], tuple[Path, Path | None]] = field(default_factory=dict)
    _chosen_for: tuple[int, ...] = ()
    _reserved: float = 0.0

    def reserve(self, trials: Sequence[Trial]) -> float:
        """Seconds the members will take, from what their trials took; a share of the budget at most."""
        if self.budget.seconds is None:
            return 0.0
        known = tuple(t.number for t in trials if counts(t))
        if known != self._chosen_for:
            self._chosen_for, self._reserved = known, self._needed(self._choose(trials, float("inf")))
        return min(_MOST * self.budget.seconds, self._reserved + 0.02 * self.budget.seconds)

    def _needed(self, chosen: Sequence[Trial], folds: int | None = None) -> float:
        """Seconds to fit the chosen configurations on what is missing (or so many folds) with all workers."""
        work = sum(self._cost(t) for t in chosen) * (len(self._missing) if folds is None else folds)
        return _SAFETY * (work / self.pool.size + 0.3 * max((self._cost(t) for t in chosen), default=0.0))

    def run(self, trials: Sequence[Trial]) -> Final:
        """The final model from the finished trials, at least one of which has a model."""
        chosen = self._choose(trials, self._left()) if self.kind != "fastest" else self._fastest(trials)
        self._fit(chosen)
        if self.kind == "blend" and self.budget.seconds is not None and self._missing:
            for trial in self._best(trials)[:_CANDIDATES]:
                if trial not in chosen and self._needed([trial]) < self._left():
                    self._fit([trial])
                    chosen.append(trial)
        return self._final(chosen)

    def _fit(self, chosen: Sequence[Trial]) -> None:
        """Fits what is missing of these configurations, fold by fold, so that a deadline leaves something of each."""
        for trial in chosen:
            for number in range(self.judged):
                self._keep(trial.number, number, trial.files)
        self._fit_missing([(trial, number) for number in self._missing for trial in chosen])

    def _fastest(self, trials: Sequence[Trial]) -> list[Trial]:
        """The fastest trial that is good enough, as if it had stopped there."""
        point = fastest(frontier(trials, self.problem.metric), self.problem.metric, self.within)
        trial = next(t for t in trials if t.number == point.trial)
        cut = {f"rounds/{f}": float(point.rounds) for f in range(self.judged)}
        return [replace(trial, facts={**trial.facts, **cut})]

    def _choose(self, trials: Sequence[Trial], seconds: float) -> list[Trial]:
        """The configurations of the final model, the heaviest first, as many as can be fitted in the time left.

        Where not even two more folds of each would fit, the configuration that costs most for its weight is given up.
        """
        ranked = self._best(trials)[:_CANDIDATES]
        while True:
            weights = self._weights(ranked, range(self.judged)) if self.kind == "blend" and ranked else [1.0]
            pairs = sorted(zip(weights, ranked, strict=False), key=lambda pair: -pair[0])
            chosen = [(weight, trial) for weight, trial in pairs if weight > 0][: self.top]
            if len(chosen) < 2 or self._needed([t for _, t in chosen], min(2, len(self._missing))) <= seconds:
                return [trial for _, trial in chosen]
            costly = max(chosen, key=lambda pair: self._cost(pair[1]) / pair[0])[1]
            ranked = [t for t in ranked if t.number != costly.number]

    @property
    def _missing(self) -> list[int | None]:
        """What a chosen configuration is still to be fitted on; None: all rows."""
        if self.kind in ("best", "fastest") or len(self.folds) == 1:
            return [None]
        return list(range(self.judged, len(self.folds)))

    def _best(self, trials: Sequence[Trial]) -> list[Trial]:
        sign = 1.0 if self.problem.metric.direction == "minimize" else -1.0
        return sorted((t for t in trials if counts(t)), key=lambda t: (sign * (t.value or 0.0), t.number))

    def _cost(self, trial: Trial) -> float:
        return (trial.facts.get("fit_seconds", 0.0) + trial.facts.get("predict_seconds", 0.0)) / self.judged + 0.1

    def _weights(self, trials: Sequence[Trial], folds: Any) -> list[float]:
        """Weights of configurations from their scores on held-out rows."""
        rows = np.concatenate([np.sort(self.folds[f][1]) for f in folds])
        scores = [np.concatenate([self._scores(t, f) for f in folds]) for t in trials]
        weight = None if self.problem.weight is None else self.problem.weight[rows]
        return greedy(scores, self.problem.target[rows], weight, self.problem.metric, _STEPS)

    def _scores(self, trial: Trial, number: int) -> np.ndarray:
        known = self._members.get((trial.number, number))
        file = known[1] if known and known[1] else Path(str(trial.files)) / f"scores-{number}.npy"
        return np.asarray(np.load(file))

    def _keep(self, trial: int, number: int, folder: Any) -> None:
        model = next(iter(sorted(Path(folder).glob(f"*-{number}.[tj]*"))), None)
        if model is not None:
            self._members[trial, number] = (model, Path(folder) / f"scores-{number}.npy")

    def _left(self) -> float:
        left = self.budget.left if self.budget.end is None else self.budget.end - time.monotonic()
        return min(left, _HURRY) if self.stopping.asked else left

    def _fit_missing(self, wanted: list[tuple[Trial, int | None]]) -> None:
        left = self._left()
        deadline = None if left == float("inf") else time.monotonic() + left
        running: dict[int, tuple[Trial, int | None]] = {}
        queue = list(enumerate(wanted))
        while queue or running:
            while len(running) < self.pool.size and (ready := self._in_time(queue, deadline)):
                queue.remove(ready)
                place, (trial, number) = ready
                self.pool.submit(place, self._job(trial, number, deadline))
                running[place] = (trial, number)
            if not running:
                break
            for event in self.pool.events(0.25, lambda number, report: ""):
                trial, number = running.pop(event.number)
                if event.kind == "done":
                    self._take(trial, number, event.result)

    def _in_time(
        self, queue: Sequence[tuple[int, tuple[Trial, int | None]]], deadline: float | None
    ) -> tuple[int, tuple[Trial, int | None]] | None:
        """The first in the queue that can be expected to end before the deadline."""
        if deadline is None:
            return queue[0] if queue else None
        left = deadline - time.monotonic()
        return next((job for job in queue if self._cost(job[1][0]) < left), None)

    def _job(self, trial: Trial, number: int | None, deadline: float | None) -> Fit:
        rounds = self._whole(trial) if number is None else None
        folder = self.place.folder / "members" / f"{trial.number:04d}"
        return Fit("", trial.params, (number,), trial.seed, folder, self.pool.threads, deadline, rounds)

    def _whole(self, trial: Trial) -> int:
        """Rounds on all rows: the best number on the folds, rescaled to the rows there are to learn from."""
        learnt = np.mean([len(self.folds[f][0]) for f in range(self.judged)])
        grown = np.mean([trial.facts.get(f"rounds/{f}", 0.0) for f in range(self.judged)])
        return max(1, round(float(grown * len(self.problem.target) / learnt)))

    def _take(self, trial: Trial, number: int | None, fitted: Fitted) -> None:
        """Keeps a member, unless the deadline cut it long before its time."""
        usual = trial.facts.get("rounds/0", 0.0)
        grown = fitted.rounds[0] if fitted.rounds else 0
        if not fitted.models or (fitted.state != "complete" and grown < _NEARLY * usual):
            return
        self._members[trial.number, number] = (fitted.models[0], fitted.scores[0] if fitted.scores else None)

    def _final(self, chosen: Sequence[Trial]) -> Final:
        have = {t.number: [n for (number, n) in self._members if number == t.number] for t in chosen}
        if self._missing == [None]:
            have = {number: [None] if None in own else own for number, own in have.items()}
        most = max(len(own) for own in have.values())
        used = [t for t in chosen if len(have[t.number]) > most // 2] or chosen[:1]
        folds: Any = sorted(set.intersection(*({n for n in have[t.number] if n is not None} for t in used)) or {0})
        if self._missing == [None]:
            used, folds = [t for t in chosen if have[t.number] == [None]] or chosen[:1], range(self.judged)
        shares = self._weights(used, folds) if len(used) > 1 else [1.0]
        texts: list[str] = []
        weights: list[float] = []
        members: list[str] = []
        made: list[dict[str, Any]] = []
        for trial, share in zip(used, shares, strict=True):
            own = have[trial.number]
            if share > 0:
                texts += [self._members[trial.number, n][0].read_text(encoding="utf-8") for n in own]
                weights += [share / len(own)] * len(own)
                whole = self._whole(trial)
                made += [{"trial": trial.number, "fold": n, "rounds": whole if n is None else None} for n in own]
                where = "all rows" if own == [None] else f"{len(own)} folds" if len(own) > 1 else "the training rows"
                members.append(f"trial {trial.number} on {where}, weight {share:.2f}")
        return Final(tuple(texts), tuple(weights), tuple(members), self._metrics(used, shares, folds), tuple(made))

    def _metrics(self, used: Sequence[Trial], shares: Sequence[float], folds: Any) -> dict[str, float]:
        """Metrics of the blend on rows that its members did not learn from."""
        problem = self.problem
        rows = np.concatenate([np.sort(self.folds[f][1]) for f in folds])
        each = [np.concatenate([self._scores(t, f) for f in folds]) for t in used]
        blended = np.sum([share * s for share, s in zip(shares, each, strict=True)], axis=0)
        weight = None if problem.weight is None else problem.weight[rows]
        found = problem.score(problem.task, problem.target[rows], blended, weight)
        return {f"oof/{name}": value for name, value in found.items()}
