"""Metrics of order: is the right class put before the others? More than two classes: one against the rest, averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from leaflab.metric.base import Metric
from leaflab.metric.mean import CLASSIFICATION
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.values import Task

__all__ = ["PrAuc", "RocAuc"]


@option
class RocAuc(Metric):
    """Probability that a row of the class outranks one that is not; 0.5 is chance, 1 is best, ties count half.

    Undefined (NaN) where only one class is present; classes absent from the rows are left out of the average.
    """

    name = "roc_auc"
    direction = "maximize"
    tasks = CLASSIFICATION
    ordinal = True
    lightgbm: ClassVar[Mapping[Task, str]] = {"binary": "auc"}

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        return _one_against_rest(_roc_auc, truth, scores, weight)


@option
class PrAuc(Metric):
    """Average precision: precision at every distinct score, weighted by the recall it adds.

    Undefined (NaN) where only one class is present; classes absent from the rows are left out of the average.
    """

    name = "pr_auc"
    direction = "maximize"
    tasks = CLASSIFICATION
    ordinal = True
    lightgbm: ClassVar[Mapping[Task, str]] = {"binary": "average_precision"}

    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        return _one_against_rest(_average_precision, truth, scores, weight)


def _one_against_rest(
    area: Callable[[np.ndarray, np.ndarray], float], truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
) -> float:
    weights = np.ones(len(truth)) if weight is None else np.asarray(weight, dtype="float64")
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [area(*_by_score(truth == k, scores[:, k], weights)) for k in classes if _both(truth == k, weights)]
    return float(np.mean(areas)) if areas else float("nan")


def _both(positive: np.ndarray, weights: np.ndarray) -> bool:
    return bool(0 < weights[positive].sum() < weights.sum())


def _by_score(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positive and of negative rows at each distinct score, highest first."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    hits = np.add.reduceat(np.where(positive, weights, 0.0)[order], starts)
    misses = np.add.reduceat(np.where(positive, 0.0, weights)[order], starts)
    return hits, misses


def _roc_auc(hits: np.ndarray, misses: np.ndarray) -> float:
    before = np.cumsum(hits) - hits / 2
    return float((misses * before).sum() / (hits.sum() * misses.sum()))


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> float:
    found = np.cumsum(hits)
    seen = found + np.cumsum(misses)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return float((precision * hits).sum() / hits.sum())
