"""What a sweep may be after beside its metric and a trial's costs: read off answers, row by row, group by group.

    roc_auc                          another metric of the task
    slice(sex=Female)                the sweep's metric on the rows of one group
    worst(sex)                       the metric of the group that is served worst
    gap(sex)                         how far the metric of two groups lies apart at most
    equalized_odds(sex)              how far hit or false alarm rates lie apart at most (yes or no answers)
    demographic_parity(sex)          how far the shares of yes answers lie apart at most

Groups are those of the reports (levels, quarters of a number, periods, missing), with at least 30 rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leaflab.errors import ConfigError
from leaflab.metric.all import all_metrics
from leaflab.report.slices import find_slices
from leaflab.scorer import Column
from leaflab.search.base import Measure
from leaflab.workflow.learning import rows_of

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.model.base import Problem
    from leaflab.report.slices import Slice
    from leaflab.values import Dataset

__all__ = ["measures"]

_CALL = re.compile(r"^(slice|worst|gap|equalized_odds|demographic_parity)\((.+)\)$", re.DOTALL)
_LEAST = 30


def measures(dataset: Dataset, problem: Problem) -> Callable[[str], Measure | None]:
    """Finds a measure by its name; None for a name that means nothing."""
    metrics = {metric.name: metric for metric in all_metrics(dataset.task)}

    def find(name: str) -> Measure | None:
        if name in metrics:
            return Measure(metrics[name].direction, _Whole(problem, metrics[name]))
        if not (call := _CALL.match(name)):
            return None
        kind, inside = call.groups()
        column, _, level = inside.partition("=") if kind == "slice" else (inside, "", "")
        groups = _groups(dataset, column.strip(), level.strip())
        if kind in ("slice", "worst"):
            return Measure(problem.metric.direction, _Groups(problem, kind, groups))
        if kind != "gap" and problem.task != "binary":
            raise ConfigError("`search.objectives`", f"can have {kind} only where the answer is yes or no", got=name)
        return Measure("minimize", _Groups(problem, kind, groups))

    return find


def _groups(dataset: Dataset, column: str, level: str) -> list[Slice]:
    rows = rows_of(dataset)
    if column not in rows.column_names:
        hint = f"the dataset has {', '.join(rows.column_names[:30])}"
        raise ConfigError("`search.objectives`", "must name a column of the dataset", got=column, hint=hint)
    known = {c.name: c for c in dataset.columns}
    kept = known.get(column) or Column(column, "category")
    found = find_slices(rows.select([column]).to_pandas(), [kept], least=_LEAST)
    if level:
        found = [s for s in found if s.name in (f"{column} = {level}", level)]
    if not found:
        what = f"{column}={level}" if level else column
        raise ConfigError("`search.objectives`", f"needs a group of at least {_LEAST} rows, and others", got=what)
    return found


@dataclass(frozen=True)
class _Whole:
    """A metric on all the rows."""

    problem: Problem
    metric: Metric

    def __call__(self, rows: np.ndarray, scores: np.ndarray) -> float:
        weight = None if self.problem.weight is None else self.problem.weight[rows]
        return self.metric.score(self.problem.target[rows], scores, weight)


@dataclass(frozen=True)
class _Groups:
    """One number over the groups of a column."""

    problem: Problem
    kind: str
    groups: Sequence[Slice]

    def __call__(self, rows: np.ndarray, scores: np.ndarray) -> float:
        masks = [
            m for m in (group.mask[rows] for group in self.groups) if m.sum() >= (1 if self.kind == "slice" else 10)
        ]
        if not masks:
            return float("nan")
        if self.kind == "equalized_odds":
            truth = self.problem.target[rows] == 1
            return max(self._apart(rows, scores, [m & truth for m in masks]),
                       self._apart(rows, scores, [m & ~truth for m in masks]))  # fmt: skip
        if self.kind == "demographic_parity":
            return self._apart(rows, scores, masks)
        whole = _Whole(self.problem, self.problem.metric)
        values = [v for v in (whole(rows[m], scores[m]) for m in masks) if np.isfinite(v)]
        if self.kind == "gap":
            return max(values) - min(values) if values else float("nan")
        return (max if self.problem.metric.direction == "minimize" else min)(values, default=float("nan"))

    def _apart(self, rows: np.ndarray, scores: np.ndarray, masks: Sequence[np.ndarray]) -> float:
        """The largest difference between groups in the share of yes answers."""
        answers = scores.argmax(axis=1)
        weight = np.ones(len(rows)) if self.problem.weight is None else self.problem.weight[rows]
        shares = [float(np.average(answers[m], weights=weight[m])) for m in masks if weight[m].sum() > 0]
        return max(shares) - min(shares) if shares else float("nan")
