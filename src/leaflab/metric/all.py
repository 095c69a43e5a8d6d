"""Every metric of a task, as runs and reports show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from leaflab.metric.labels import Accuracy, BalancedAccuracy, MacroF1
from leaflab.metric.probability import Brier, CalibrationError, LogLoss
from leaflab.metric.ranking import PrAuc, RocAuc
from leaflab.metric.regression import R2, Mae, Mape, Rmse

if TYPE_CHECKING:
    import numpy as np

    from leaflab.metric.base import Metric
    from leaflab.values import Task

__all__ = ["all_metrics", "score_all"]

_METRICS = (LogLoss, RocAuc, PrAuc, Brier, CalibrationError, Accuracy, BalancedAccuracy, MacroF1, Rmse, Mae, Mape, R2)


def all_metrics(task: Task) -> list[Metric]:
    """The metrics that apply to a task."""
    return [metric() for metric in _METRICS if task in metric.tasks]


def score_all(task: Task, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> dict[str, float]:
    """Name to value of every metric that the rows can define.

    Args:
        task: the resolved task.
        truth: class codes 0…k-1 or values, shape (rows,).
        scores: probabilities, shape (rows, classes), or values, shape (rows,).
        weight: row weights, shape (rows,), or None.
    """
    values = {metric.name: metric.score(truth, scores, weight) for metric in all_metrics(task)}
    return {name: value for name, value in values.items() if math.isfinite(value)}
