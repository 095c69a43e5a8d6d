"""Whether probabilities mean what they say, and how to make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Bin", "recalibration", "reliability"]

_LEAST = 1e-6


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence: mean prediction, share of hits with its 95 % interval (Wilson), number of rows."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def reliability(hit: np.ndarray, confidence: np.ndarray, *, bins: int = 10) -> list[Bin]:
    """The reliability curve over bins of equal numbers of rows.

    Args:
        hit: whether the class was true, shape (rows,), 0 or 1.
        confidence: its probability, shape (rows,).
        bins: at most so many; fewer than 10 rows make no bin.
    """
    order = np.argsort(confidence, kind="stable")
    parts = [p for p in np.array_split(order, max(1, min(bins, len(order) // 10))) if len(p)]
    return [Bin(float(confidence[p].mean()), float(hit[p].mean()), *_wilson(hit[p]), len(p)) for p in parts]


def _wilson(hit: np.ndarray) -> tuple[float, float]:
    z, n, share = 1.96, len(hit), hit.mean()
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - half), float(middle + half)


def recalibration(
    kind: Literal["platt", "isotonic"], hit: np.ndarray, positive: np.ndarray, weight: np.ndarray | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The map (`x`, `y` of `scorer.predictor.Recalibrated`) that makes probabilities of the positive class honest.

    Args:
        kind: "platt" needs few rows and keeps the order of predictions; "isotonic" takes any shape, from 1,000 rows on.
        hit: 0 or 1, shape (rows,), of rows the model did not learn from.
        positive: probabilities, shape (rows,).
        weight: row weights, or None.
    """
    positive = np.clip(positive, _LEAST, 1 - _LEAST)
    if kind == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=_LEAST, y_max=1 - _LEAST).fit(positive, hit, sample_weight=weight)
        return tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))
    logit = np.log(positive / (1 - positive))
    return _platt(logit, hit.astype("float64"), np.ones(len(hit)) if weight is None else weight), ()


def _platt(logit: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic regression on one logit (Platt 1999), by damped Newton.

    As there, the truth counts as almost sure only: without that a model that tells the classes apart becomes too sure.
    """
    hit = np.where(hit == 1, 1 - 1 / (hit.sum() + 2), 1 / ((1 - hit).sum() + 2))
    design = np.column_stack([logit, np.ones_like(logit)])

    def loss(beta: np.ndarray) -> float:
        line = design @ beta
        return float((weight * (np.logaddexp(0, line) - hit * line)).sum())

    beta = np.zeros(2)
    for _ in range(100):
        share = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        slope = design.T @ (weight * (hit - share))
        bend = (design * (weight * share * (1 - share))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        while loss(beta + step) > loss(beta) and np.abs(step).max() > 1e-10:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0]), float(beta[1])
