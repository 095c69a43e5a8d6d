"""What a sweep is after: its metric, what else is to be lowered or raised, and the limits a model must keep.

Costs are measured on every trial; whatever is read off answers (another metric, a slice, a fairness difference) comes
from `Place.measure`, which knows the table.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError
from leaflab.search.base import Measure
from leaflab.search.driving import comparable, counts, folds_of
from leaflab.search.limit import Limit

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.values import Trial

__all__ = ["COSTS", "Limit", "Objectives", "key_of"]

COSTS = {
    "train_seconds": "fit_seconds",
    "latency_ms": "predict_ms_per_1k_rows",
    "model_bytes": "size_bytes",
    "rounds": "best_iteration",
}
"""Name to the trial's own fact: seconds and bytes of a fold's booster, milliseconds for 1,000 rows, boosting rounds."""

_SUMMED = ("fit_seconds", "size_bytes")
_NO_KEY = re.compile(r"[^\w.\-]+")


def key_of(name: str) -> str:
    """The key under which a trial keeps and MLflow shows an objective.

    >>> key_of("worst(hours per week)")
    'objective/worst_hours_per_week'
    """
    return f"objective/{_NO_KEY.sub('_', name).strip('_')}"


@dataclass(frozen=True)
class Objectives:
    """The metric first, then the others; with neither others nor limits a sweep has its one metric.

    Args:
        metric: the sweep's own.
        others: what is lowered or raised beside the metric.
        limits: what the final model must keep.
        measures: how the names among them are measured that are no costs.
        within: how much worse than the best a cheaper model may be, as a share of the loss; None: the best is wanted.
    """

    metric: Metric
    others: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    measures: Mapping[str, Measure] = field(default_factory=dict)
    within: float | None = None

    @classmethod
    def of(cls, search: Any, metric: Metric, measure: Callable[[str], Measure | None]) -> Objectives:
        """The objectives a search asks for.

        Raises:
            ConfigError: one that does not exist, or that the rows cannot define.
        """
        limits = tuple(Limit.read(text) for text in search.constraints)
        own = {*COSTS, metric.name}
        wanted = [n for n in dict.fromkeys([*search.objectives, *(limit.name for limit in limits)]) if n not in own]
        measures = {}
        for name in wanted:
            found = measure(name)
            if found is None:
                raise _unknown(name, metric)
            measures[name] = found
        others = tuple(n for n in dict.fromkeys(search.objectives) if n != metric.name)
        return cls(metric, others, limits, measures, search.within if search.pick == "fastest" else None)

    @property
    def several(self) -> bool:
        return bool(self.others)

    @property
    def plain(self) -> bool:
        """Whether there is nothing but the metric."""
        return not self.others and not self.limits

    @property
    def names(self) -> tuple[str, ...]:
        return (self.metric.name, *self.others)

    @property
    def directions(self) -> list[str]:
        """Optuna's directions, in the order of `names`."""
        return [self.metric.direction, *(self._direction(name) for name in self.others)]

    def _direction(self, name: str) -> str:
        return self.measures[name].direction if name in self.measures else "minimize"

    def measured(self, trial: Trial, judged: Sequence[np.ndarray]) -> Trial:
        """The trial with all that was asked for among its facts.

        Args:
            trial: one that ended; without a model it is given back as it is.
            judged: the rows of each fold that it was to be judged on, in the order of its scores.
        """
        if self.plain or not counts(trial):
            return trial
        names = dict.fromkeys([*self.others, *(limit.name for limit in self.limits)])
        answers = _Answers(trial, judged[: folds_of(trial)])
        found = {key_of(n): self._measure(n, trial, answers) for n in names if n != self.metric.name}
        return replace(trial, facts={**trial.facts, **found})

    def _measure(self, name: str, trial: Trial, answers: _Answers) -> float:
        if name in self.measures:
            value = self.measures[name].of(answers.rows, answers.scores)
            worst = math.inf if self._direction(name) == "minimize" else -math.inf
            return value if math.isfinite(value) else worst
        fact = COSTS[name]
        return trial.facts.get(fact, 0.0) / (len(answers.judged) if fact in _SUMMED else 1)

    def value(self, name: str, trial: Trial) -> float:
        """One objective of a measured trial."""
        return float(trial.value or 0.0) if name == self.metric.name else float(trial.facts[key_of(name)])

    def values(self, trial: Trial) -> list[float]:
        """A measured trial's values, in the order of `names`."""
        return [self.value(name, trial) for name in self.names]

    def excesses(self, trial: Trial) -> dict[str, float]:
        """Limit to how far a measured trial is beyond it, at most 0 where it keeps it; {} without a model."""
        limits = self.limits if counts(trial) else ()
        return {str(limit): limit.excess(self.value(limit.name, trial)) for limit in limits}

    def keeps(self, trial: Trial) -> bool:
        """Whether a trial keeps every limit."""
        return all(excess <= 0 for excess in self.excesses(trial).values())

    def front(self, trials: Sequence[Trial]) -> list[Trial]:
        """Trials that keep the limits and that no other such trial beats in everything, the best metric first."""
        kept = [t for t in trials if counts(t) and self.keeps(t)]
        if not kept or not self.several:
            return []
        losses = np.array([self._losses(t) for t in kept])
        order = np.lexsort(losses.T[::-1])
        best: list[int] = []
        for place in order:  # whatever beats it in everything comes before it
            if not any((losses[other] <= losses[place]).all() for other in best):
                best.append(int(place))
        return [kept[place] for place in best]

    def _losses(self, trial: Trial) -> list[float]:
        """Everything as something to lower."""
        signs = (1.0 if d == "minimize" else -1.0 for d in self.directions)
        return [sign * value for sign, value in zip(signs, self.values(trial), strict=True)]

    def eligible(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials the final model may be made of: all of them or, with limits or other objectives, one of them.

        That one keeps the limits and is of the front: the one with the best metric or, with `within`, the one with the
        best second objective among those whose loss is good enough. With `within` and limits alone it is any of those
        that keep them. Where none does it is the one that misses them least.
        """
        if self.plain:
            return list(trials)
        able = [t for t in trials if counts(t)]
        kept = [t for t in able if self.keeps(t)]
        if not kept:
            return [min(able, key=lambda t: (self._missed(t), t.number))] if able else []
        if self.within is not None and not self.several:
            return kept
        if self.within is None:
            return [min(kept, key=lambda t: (self._losses(t), t.number))]
        least = min(self.metric.loss(t.value or 0.0) for t in kept)
        good = [t for t in kept if self.metric.loss(t.value or 0.0) <= least + self.within * abs(least)]
        return [min(good, key=lambda t: (self._losses(t)[1:], t.number))]

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of the eligible trials by the metric; None where none has a model."""
        able = [t for t in self.eligible(comparable(trials)) if counts(t)]
        return min(able, key=lambda t: (self.metric.loss(t.value or 0.0), t.number), default=None)

    def _missed(self, trial: Trial) -> float:
        """By how much all limits are missed together, each as a share of its bound."""
        pairs = zip(self.limits, self.excesses(trial).values(), strict=True)
        return sum(max(0.0, excess) / (abs(limit.bound) or 1.0) for limit, excess in pairs)

    def sentences(self, trials: Sequence[Trial]) -> list[str]:
        """Warnings for the researcher."""
        chosen = self.eligible(trials)
        if not self.limits or not chosen or self.keeps(chosen[0]):
            return []
        missed = [f"{limit} ({self.value(limit.name, chosen[0]):.4g})" for limit in self.limits
                  if limit.excess(self.value(limit.name, chosen[0])) > 0]  # fmt: skip
        return [f"no trial keeps {' and '.join(missed)}: trial {chosen[0].number} misses it least and was taken"]


class _Answers:
    """A trial's answers on the rows it was judged on, read once, when first asked for."""

    def __init__(self, trial: Trial, judged: Sequence[np.ndarray]) -> None:
        self._folder, self.judged = Path(str(trial.files)), judged

    @cached_property
    def rows(self) -> np.ndarray:
        return np.concatenate([np.sort(rows) for rows in self.judged])

    @cached_property
    def scores(self) -> np.ndarray:
        return np.concatenate([np.load(self._folder / f"scores-{n}.npy") for n in range(len(self.judged))])


def _unknown(name: str, metric: Metric) -> ConfigError:
    shapes = ["worst(COLUMN)", "gap(COLUMN)", "slice(COLUMN=VALUE)", "equalized_odds(COLUMN)",
              "demographic_parity(COLUMN)"]  # fmt: skip
    near = difflib.get_close_matches(name, [*COSTS, metric.name], n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*COSTS, *shapes])} and the task's metrics"
    return ConfigError("`search.objectives`", "must name what can be measured", got=name, hint=hint)
