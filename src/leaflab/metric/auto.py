"""The metric a task takes when none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.metric.base import Metric
from leaflab.metric.probability import LogLoss
from leaflab.metric.regression import Rmse
from leaflab.option import option

if TYPE_CHECKING:
    import numpy as np

    from leaflab.values import Task

__all__ = ["Auto"]


@option
class Auto(Metric):
    """log_loss for classes, rmse for values: proper scores, which no threshold and no imbalance can flatter.

    Call `resolve` before use; `score` tells the two apart by the shape of the scores.
    """

    name = "auto"
    direction = "minimize"
    tasks = ("binary", "multiclass", "regression")

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        return self.resolve("regression" if scores.ndim == 1 else "multiclass").score(truth, scores, weight)

    def resolve(self, task: Task) -> Metric:
        return Rmse() if task == "regression" else LogLoss()
