"""Metrics that are a function of a mean over rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from leaflab.metric.base import Metric

if TYPE_CHECKING:
    from leaflab.values import Task

__all__ = ["CLASSIFICATION", "MeanMetric"]

CLASSIFICATION: tuple[Task, ...] = ("binary", "multiclass")


class MeanMetric(Metric):
    """A metric whose rows can be summed: what a paired bootstrap resamples without scoring again."""

    @abstractmethod
    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray: ...

    def of_mean(self, mean: float) -> float:
        """The metric from the weighted mean of its rows."""
        return float(mean ** (1 / self.power))

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        if not len(truth):
            return float("nan")
        return self.of_mean(float(np.average(self.rowwise(truth, scores), weights=weight)))
