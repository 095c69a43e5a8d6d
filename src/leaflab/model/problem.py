"""What a model learns: an encoded dataset, and the folds it is cut into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from leaflab.metric.base import Metric
    from leaflab.values import Task

__all__ = ["Fold", "Problem"]

Fold = tuple["np.ndarray", "np.ndarray"]
"""Row numbers to learn from and to be judged on; the second may be empty."""


@dataclass(frozen=True)
class Problem:
    """An encoded dataset.

    Args:
        task, outputs, metric: what is learnt; `metric` is resolved for the task.
        names, categorical, monotone: of the matrix's columns: names, positions that hold codes, -1 | 0 | 1 each.
        matrix: shape (rows, features), missing as NaN; the training rows first, then the validation rows.
        target: class codes or values, shape (rows,).
        weight, group: row weights and group codes, shape (rows,), or None.
        boundary: how many rows are for training.
        temporal: whether rows are ordered in time.
        score: every metric by name, from (truth, scores, weight).
        paired: how many of the last columns are made of others, for the fits that ask for them.
    """

    task: Task
    outputs: int
    metric: Metric
    names: tuple[str, ...]
    categorical: tuple[int, ...]
    monotone: tuple[int, ...]
    matrix: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None
    group: np.ndarray | None
    boundary: int
    temporal: bool
    score: Callable[..., dict[str, float]]
    paired: int = 0

    @property
    def plain(self) -> int:
        """How many columns every fit sees."""
        return self.matrix.shape[1] - self.paired
