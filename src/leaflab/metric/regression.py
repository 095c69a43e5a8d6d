"""Metrics of values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leaflab.metric.base import Metric
from leaflab.metric.mean import MeanMetric
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.values import Task

__all__ = ["R2", "Mae", "Mape", "Rmse"]


@option
class Rmse(MeanMetric):
    """Root of the mean squared error, in the target's unit; 0 is best."""

    name = "rmse"
    direction = "minimize"
    tasks = ("regression",)
    power = 2.0
    lightgbm: ClassVar[Mapping[Task, str]] = {"regression": "rmse"}

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.asarray((truth - scores) ** 2)


@option
class Mae(MeanMetric):
    """Mean absolute error, in the target's unit; 0 is best."""

    name = "mae"
    direction = "minimize"
    tasks = ("regression",)
    lightgbm: ClassVar[Mapping[Task, str]] = {"regression": "mae"}

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(truth - scores))


@option
class Mape(Metric):
    """Mean absolute error as a share of the true value, over rows whose truth is not zero; 0 is best."""

    name = "mape"
    direction = "minimize"
    tasks = ("regression",)

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        counted = truth != 0
        if not counted.any():
            return float("nan")
        shares = np.abs((truth - scores)[counted] / truth[counted])
        return float(np.average(shares, weights=None if weight is None else weight[counted]))


@option
class R2(Metric):
    """Share of the target's variance that is explained; 1 is best, 0 is the mean. NaN where the truth is constant."""

    name = "r2"
    direction = "maximize"
    tasks = ("regression",)

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        if not len(truth):
            return float("nan")
        spread = np.average((truth - np.average(truth, weights=weight)) ** 2, weights=weight)
        return float(1 - np.average((truth - scores) ** 2, weights=weight) / spread) if spread > 0 else float("nan")
