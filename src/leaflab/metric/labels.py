"""Metrics of labels: the likeliest class is the answer."""

from __future__ import annotations

import numpy as np

from leaflab.metric.base import Metric
from leaflab.metric.mean import CLASSIFICATION, MeanMetric
from leaflab.option import option

__all__ = ["Accuracy", "BalancedAccuracy", "MacroF1"]


@option
class Accuracy(MeanMetric):
    """Share of rows whose likeliest class is the true one, 0 to 1 (best)."""

    name = "accuracy"
    direction = "maximize"
    tasks = CLASSIFICATION
    proba = False

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.asarray(scores.argmax(axis=1) == truth, dtype="float64")


@option
class BalancedAccuracy(Metric):
    """Mean recall over the classes present, 0 to 1 (best)."""

    name = "balanced_accuracy"
    direction = "maximize"
    tasks = CLASSIFICATION
    proba = False

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        confusion = _confusion(truth, scores, weight)
        present = confusion.sum(axis=1)
        recalls = np.diag(confusion)[present > 0] / present[present > 0]
        return float(recalls.mean()) if len(recalls) else float("nan")


@option
class MacroF1(Metric):
    """F1 averaged over the classes that occur or are predicted, 0 to 1 (best); one never hit counts 0."""

    name = "macro_f1"
    direction = "maximize"
    tasks = CLASSIFICATION
    proba = False

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        confusion = _confusion(truth, scores, weight)
        either = confusion.sum(axis=0) + confusion.sum(axis=1)
        f1 = 2 * np.diag(confusion)[either > 0] / either[either > 0]
        return float(f1.mean()) if len(f1) else float("nan")


def _confusion(truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weight of rows, true class by predicted class."""
    classes = scores.shape[1]
    cells = truth.astype(np.intp) * classes + scores.argmax(axis=1)
    return np.bincount(cells, weights=weight, minlength=classes**2).reshape(classes, classes).astype("float64")
