"""Metrics of probabilities: how good, and how honest they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leaflab.metric.base import Metric
from leaflab.metric.mean import CLASSIFICATION, MeanMetric
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.values import Task

__all__ = ["Brier", "CalibrationError", "LogLoss"]

_LEAST = 1e-15
_BINS = 15


@option
class LogLoss(MeanMetric):
    """Mean negative log probability of the true class, in nats; 0 is best. Probabilities are clipped at 1e-15."""

    name = "log_loss"
    direction = "minimize"
    tasks = CLASSIFICATION
    lightgbm: ClassVar[Mapping[Task, str]] = {"binary": "binary_logloss", "multiclass": "multi_logloss"}

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        chosen = scores[np.arange(len(truth)), truth.astype(np.intp)]
        return np.asarray(-np.log(np.clip(chosen, _LEAST, 1.0)))


@option
class Brier(MeanMetric):
    """Mean squared distance of the probabilities from the truth, 0 (best) to 1.

    It is half of Brier's original sum over classes, so that two classes and more share the scale.
    """

    name = "brier"
    direction = "minimize"
    tasks = CLASSIFICATION

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        codes = truth.astype(np.intp)
        chosen = scores[np.arange(len(codes)), codes]
        return np.asarray(((scores**2).sum(axis=1) - 2 * chosen + 1) / 2)


@option
class CalibrationError(Metric):
    """Expected calibration error, 0 (best) to 1: the mean gap between confidence and hit rate.

    Over 15 equal-width bins of the probability of the positive class (binary) or of the likeliest one. Biased upwards
    on few rows.
    """

    name = "ece"
    direction = "minimize"
    tasks = CLASSIFICATION

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        if not len(truth):
            return float("nan")
        if scores.shape[1] == 2:
            confidence, hit = scores[:, 1], truth == 1
        else:
            confidence, hit = scores.max(axis=1), scores.argmax(axis=1) == truth
        weights = np.ones(len(truth)) if weight is None else weight
        bins = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
        gaps = np.bincount(bins, weights=weights * (confidence - hit), minlength=_BINS)
        return float(np.abs(gaps).sum() / weights.sum())
