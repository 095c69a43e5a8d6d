"""Contributions: how much each feature moved an answer away from the model's base, in the model's raw score."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.scorer.predictor import Boosters, Linear

if TYPE_CHECKING:
    from leaflab.serve.live import Answer

__all__ = ["BASE", "contributions"]

BASE = "(base)"


def contributions(answer: Answer) -> list[dict[str, float]]:
    """Feature name to contribution, one mapping a row, the largest first after the base.

    Boosters give exact Shapley values of their trees (TreeSHAP; Lundberg and others 2020), averaged over the members;
    a linear model gives coefficient times distance from the mean. Values add up to the raw score: the answer itself
    for regression, log-odds of the positive class for a binary task, the score of the answered class for more.
    """
    names = answer.live.scorer.encoder.names
    table = _raw(answer)
    rows = []
    for row in table:
        order = np.argsort(-np.abs(row[:-1]), kind="stable")
        rows.append({BASE: float(row[-1]), **{names[i]: float(row[i]) for i in order}})
    return rows


def _raw(answer: Answer) -> np.ndarray:
    """Contributions and, last, the base: shape (rows, features + 1)."""
    predictor, matrix = answer.live.scorer.predictor, answer.matrix
    rows, width = matrix.shape
    if isinstance(predictor, Boosters):
        members = zip(predictor.boosters, predictor.weights, strict=True)
        total: Any = sum(w * np.asarray(b.predict(matrix, pred_contrib=True)) for b, w in members)
        return _of_class(total.reshape(rows, -1, width + 1), answer)
    if isinstance(predictor, Linear):
        return _of_class(_linear(predictor, matrix), answer)
    flat = np.zeros((rows, width + 1))
    flat[:, -1] = answer.scores[:, -1] if answer.scores.ndim == 2 else answer.scores
    return flat


def _linear(predictor: Linear, matrix: np.ndarray) -> np.ndarray:
    """Shape (rows, outputs, features + 1)."""
    design, coef = predictor.design(matrix), np.asarray(predictor.coef)
    widths = [int(block.get("levels", 1)) for block in predictor.blocks]
    each = design[:, None, :] * coef[None, :, :]
    starts = np.cumsum([0, *widths])
    parts = [each[:, :, a:b].sum(axis=2) for a, b in pairwise(starts)]
    base = np.broadcast_to(np.asarray(predictor.intercept), each.shape[:2])
    return np.stack([*parts, base], axis=2)


def _of_class(table: np.ndarray, answer: Answer) -> np.ndarray:
    """The only output, or that of the class answered."""
    if table.shape[1] == 1:
        return table[:, 0]
    return table[np.arange(len(table)), answer.scores.argmax(axis=1)]
