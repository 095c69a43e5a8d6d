"""The final model: the best configurations, fitted once more on all rows, and averaged.

What a trial held back to be judged on is worth more as rows to learn from than as another fold: at the same number of
rounds for a row, a few seeds on all rows beat the average of five folds of the same configurations, at half the cost.
On few rows it is the other way round: there a single fit is sure of too much, and the average of folds is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.identity import fold as identity
from leaflab.search.blending import greedy
from leaflab.search.driving import counts
from leaflab.search.frontier import fastest, frontier
from leaflab.search.members import Members, Part, seed

if TYPE_CHECKING:
    from leaflab.model.base import Model, Problem
    from leaflab.values import Trial

__all__ = ["Final", "Refit"]

_FEW = 5_000
_CANDIDATES = 30
_FIRST = 10
_LOOKS = 24
_OF = 2
_LOOK = 0.33
_STEPS = 20
_SEEDS = 2
_MOST_SEEDS = 4
_MOST = 0.5


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


@dataclass
class Refit:
    """Chooses configurations and fits them within the time left.

    Args:
        kind: "best" refits the best trial on all rows, "bag" averages its folds, "blend" refits the best `top` on all
            rows with several seeds, "fastest" the fastest trial within `within` of the best, cut to the fewest trees.
        top: configurations of a blend.
        problem, model: what is learnt, and by what.
        members: its fits, and where they happen.
    """

    kind: str
    top: int
    problem: Problem
    model: Model
    members: Members
    within: float = 0.005
    _seen: list[Trial] = field(default_factory=list)
    _chosen_for: tuple[int, ...] = ()
    _reserved: float = 0.0

    def reserve(self, trials: Sequence[Trial]) -> float:
        """Seconds the final model will take, from what its trials took; a share of the budget at most. Where that (or
        what is left) is too little for even one of its fits, the trials may have it all, and their folds are the model.
        """
        if self.members.budget.seconds is None:
            return 0.0
        known = tuple(t.number for t in trials if counts(t))
        if known != self._chosen_for:
            self._chosen_for = known
            best, limit = self._best(trials), _MOST * self.members.budget.seconds
            one = max((self.members.allowed(part) for part in self._parts(best[:1], 1)), default=0.0)
            self._reserved = min(limit, self._needed(best)) if one <= min(limit, self.members.budget.left) else 0.0
        return self._reserved + 0.02 * self.members.budget.seconds

    def _needed(self, best: Sequence[Trial]) -> float:
        """Seconds of the second look, and of as many configurations as are chosen, as dear as those they come from."""
        looks = self._looks(best[: len(best) // _OF], _LOOK * (self.members.budget.seconds or 0.0))
        if looks and self._by_folds:
            return self.members.needed(looks)  # the final model is made of these very fits
        likely = best[: 2 * self._used]
        share = min(1.0, self._used / max(1, len(likely)))
        return self.members.needed(looks) + share * self.members.needed(self._parts(likely))

    @property
    def _used(self) -> int:
        """The most configurations that the final model is made of."""
        return self.top if self.kind == "blend" else 1

    def run(self, trials: Sequence[Trial]) -> Final:
        """The final model from the finished trials, at least one of which has a model."""
        if self.kind == "fastest":
            chosen = self._fastest(trials)
        else:
            self._look_again(trials)
            chosen = self._choose(trials)
        for trial in chosen:
            for number in range(self.members.judged):
                self.members.keep(trial, number)
        self.members.fit(self._parts(chosen, _SEEDS if self.members.budget.seconds is None else _MOST_SEEDS))
        return self._final(chosen)

    def _looks(self, ranked: Sequence[Trial], limit: float, seen: int = 0) -> list[Part]:
        """The fits of a second look: after many trials the best on one fold are best by luck too, so the first few of
        these are judged on the other folds as well, as many as take no more than `limit` seconds; none where that would
        leave nothing to choose from."""
        wanted = list(ranked[: _LOOKS - seen])
        while wanted and len(wanted) + seen > self._used:
            parts = [Part(t, n) for t in wanted for n in self._others]
            if self.members.needed(parts) <= limit:
                return parts
            wanted.pop()
        return []

    def _look_again(self, trials: Sequence[Trial]) -> None:
        """Leaves in `_seen` what every fold has judged, the best on the other folds first.

        What is useful in a blend comes first, then the first ones tried, which no luck has chosen, then the best. What
        a fit takes is known for sure only afterwards, so more are looked at while the final model has its time.
        """
        candidates = self._candidates(trials)
        weighed = zip(self._weights(candidates, self._judges), candidates, strict=True)
        useful = [t for _, t in sorted(weighed, key=lambda pair: (-pair[0], pair[1].number >= _FIRST))]
        useful = useful[: len(useful) // _OF]
        after = 0.0 if self._by_folds else self.members.needed(self._parts(useful[: self._used]))
        seen: list[Trial] = []
        while not self.members.stopping.asked:
            parts = self._looks(useful, self.members.left() - after, len(seen))
            if not parts:
                break
            self.members.fit(parts)
            looked = useful[: len({part.trial.number for part in parts})]
            useful = useful[len(looked) :]
            seen += [t for t in looked if all(Part(t, n) in self.members for n in self._others)]
        if len(seen) > self._used:
            truth, weight = self._truth(self._others)
            metric = self.problem.metric
            scores = {t.number: metric.score(truth, self._held(t, self._others), weight) for t in seen}
            self._seen = sorted(seen, key=lambda t: metric.loss(scores[t.number]))

    def _parts(self, chosen: Sequence[Trial], seeds: int = _SEEDS) -> list[Part]:
        """What is still to be fitted, one pass over the configurations after the other, so that a deadline leaves
        something of each."""
        if self._by_folds:
            return [Part(t, n) for t in chosen for n in self._others if Part(t, n) not in self.members]
        passes = seeds if self.kind == "blend" else 1
        return [Part(t, None, s) for s in range(passes) for t in chosen if s == 0 or self.model.varies(t.params)]

    @property
    def _by_folds(self) -> bool:
        """Whether the members are fits of folds: where that was asked for, and in a blend of few rows."""
        few = self.kind == "blend" and len(self.problem.target) < _FEW
        return (self.kind == "bag" or few) and len(self.members.folds) > 1

    def _fastest(self, trials: Sequence[Trial]) -> list[Trial]:
        """The fastest trial that is good enough, as if it had stopped there."""
        point = fastest(frontier(trials, self.problem.metric), self.problem.metric, self.within)
        trial = next(t for t in trials if t.number == point.trial)
        cut = {f"rounds/{f}": float(point.rounds) for f in range(self.members.judged)}
        return [replace(trial, facts={**trial.facts, **cut})]

    def _choose(self, trials: Sequence[Trial]) -> list[Trial]:
        """The configurations of the final model, the heaviest first."""
        ranked = self._seen or self._candidates(trials)
        weights = self._weights(ranked, self._judges) if self.kind == "blend" and ranked else [1.0]
        pairs = sorted(zip(weights, ranked, strict=False), key=lambda pair: -pair[0])
        return [trial for weight, trial in pairs if weight > 0][: self._used]

    @property
    def _others(self) -> range:
        """The folds that trials were not judged on."""
        return range(self.members.judged, len(self.members.folds))

    @property
    def _judges(self) -> range:
        """The folds that candidates are chosen and weighed by: after a second look those that chose no trial before."""
        return self._others if self._seen else range(self.members.judged)

    def _best(self, trials: Sequence[Trial]) -> list[Trial]:
        loss = self.problem.metric.loss
        return sorted((t for t in trials if counts(t)), key=lambda t: (loss(t.value or 0.0), t.number))

    def _candidates(self, trials: Sequence[Trial]) -> list[Trial]:
        """The best, and the first ones tried: the sampler's best are alike, those put first are not, and blend well."""
        best = self._best(trials)
        return best[:_CANDIDATES] + [t for t in best[_CANDIDATES:] if t.number < _FIRST]

    def _weights(self, trials: Sequence[Trial], folds: Any) -> list[float]:
        """Weights of configurations from their scores on held-out rows."""
        scores = [self._held(t, folds) for t in trials]
        return greedy(scores, *self._truth(folds), self.problem.metric, _STEPS)

    def _held(self, trial: Trial, folds: Any) -> np.ndarray:
        return np.concatenate([self.members.scores(trial, f) for f in folds])

    def _truth(self, folds: Any) -> tuple[np.ndarray, np.ndarray | None]:
        rows = np.concatenate([np.sort(self.members.folds[f][1]) for f in folds])
        return self.problem.target[rows], None if self.problem.weight is None else self.problem.weight[rows]

    def _final(self, used: Sequence[Trial]) -> Final:
        """A configuration that could not be fitted on all rows in time is averaged by its folds."""
        every = range(len(self.members.folds))
        folds = [n for n in every if all(Part(trial, n) in self.members for trial in used)]
        shares = self._weights(used, self._others if self._seen else folds) if len(used) > 1 else [1.0]
        texts: list[str] = []
        weights: list[float] = []
        members: list[str] = []
        made: list[dict[str, Any]] = []
        for trial, share in zip(used, shares, strict=True):
            fits = self.members.own(trial)
            if share > 0:
                texts += [self.members.text(trial, *fit) for fit in fits]
                weights += [share / len(fits)] * len(fits)
                made += [self._how(trial, *fit) for fit in fits]
                members.append(f"trial {trial.number} on {_where(fits)}, weight {share:.2f}")
        return Final(tuple(texts), tuple(weights), tuple(members), self._metrics(used, shares, folds), tuple(made))

    def _how(self, trial: Trial, fold: int | None, another: int) -> dict[str, Any]:
        rounds = self.members.rounds(trial, fold, another)
        return {"trial": trial.number, "fold": fold, "rounds": rounds, "seed": seed(trial, another)}

    def _metrics(self, used: Sequence[Trial], shares: Sequence[float], folds: Any) -> dict[str, float]:
        """Metrics of the blend as fitted without the rows it is judged on here."""
        truth, weight = self._truth(folds)
        each = [self._held(t, folds) for t in used]
        blended = np.sum([share * s for share, s in zip(shares, each, strict=True)], axis=0)
        found = self.problem.score(self.problem.task, truth, blended, weight)
        return {f"oof/{name}": value for name, value in found.items()}


def _where(own: Sequence[tuple[int | None, int]]) -> str:
    if own[0][0] is None:
        return f"all rows with {len(own)} seeds" if len(own) > 1 else "all rows"
    return f"{len(own)} folds" if len(own) > 1 else "the training rows"
