"""Where to cut a probability into yes and no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Threshold", "best_threshold", "confusion"]


@dataclass(frozen=True)
class Threshold:
    """A cut and what it was chosen for: `value` on the rows it was chosen on."""

    cut: float
    aim: str
    value: float


def best_threshold(
    hit: np.ndarray,
    positive: np.ndarray,
    *,
    beta: float = 1.0,
    costs: tuple[float, float] | None = None,
    weight: np.ndarray | None = None,
) -> Threshold:
    """The cut with the best F-beta, or the lowest cost where costs are given.

    Args:
        hit: 0 or 1, shape (rows,); not the test rows.
        positive: probabilities of the positive class, shape (rows,).
        beta: how much more recall counts than precision.
        costs: of one false alarm and of one miss.
        weight: row weights, or None.
    """
    weights = np.ones(len(hit)) if weight is None else weight
    order = np.argsort(-positive, kind="stable")
    found = np.cumsum((weights * hit)[order])
    alarms = np.cumsum((weights * (1 - hit))[order])
    cuts, total = positive[order], found[-1]
    ends = np.flatnonzero(np.r_[np.diff(cuts) != 0, True])
    if costs is not None:
        price = costs[0] * alarms[ends] + costs[1] * (total - found[ends])
        best = int(np.argmin(price))
        none = costs[1] * total
        if none < price[best]:
            return Threshold(float(np.nextafter(cuts[0], 2)), "cost", float(none / weights.sum()))
        return Threshold(float(cuts[ends][best]), "cost", float(price[best] / weights.sum()))
    score = (1 + beta**2) * found[ends] / (found[ends] + alarms[ends] + beta**2 * total)
    best = int(np.argmax(score))
    return Threshold(float(cuts[ends][best]), f"F{beta:g}", float(score[best]))


def confusion(truth: np.ndarray, labels: np.ndarray, classes: int, weight: np.ndarray | None = None) -> np.ndarray:
    """Weight of rows, true class by answer, shape (classes, classes)."""
    cells = truth.astype(np.intp) * classes + labels.astype(np.intp)
    return np.bincount(cells, weights=weight, minlength=classes**2).reshape(classes, classes).astype("float64")
