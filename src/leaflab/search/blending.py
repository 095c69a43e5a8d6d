"""A greedy blend: the weighted average of scores that is best on rows none of them learnt from.

Caruana et al., "Ensemble selection from libraries of models" (ICML 2004): start with the best, add with replacement
whichever improves the average most. Few steps on many rows hardly overfit; the weights are counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from leaflab.metric.base import Metric

__all__ = ["greedy"]


def greedy(
    scores: Sequence[np.ndarray], truth: np.ndarray, weight: np.ndarray | None, metric: Metric, steps: int
) -> list[float]:
    """Weights summing to 1, one for each array of scores.

    Args:
        scores: each of shape (rows,) or (rows, classes).
        truth: class codes or values, shape (rows,).
        weight: row weights, or None.
        metric: what the blend should be best at.
        steps: picks with replacement.
    """
    sign = 1.0 if metric.direction == "minimize" else -1.0

    def loss(average: np.ndarray) -> float:
        return sign * metric.score(truth, average, weight)

    picks = [int(np.argmin([loss(s) for s in scores]))]
    total, best, kept = scores[picks[0]].copy(), loss(scores[picks[0]]), 1
    for size in range(2, steps + 1):
        losses = [loss((total + s) / size) for s in scores]
        picks.append(int(np.argmin(losses)))
        total = total + scores[picks[-1]]
        if losses[picks[-1]] < best:
            best, kept = losses[picks[-1]], size
    counted = np.bincount(picks[:kept], minlength=len(scores))
    return [float(c) / kept for c in counted]
