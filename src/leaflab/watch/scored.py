"""Rows with the model's answers, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer import Scorer

__all__ = ["Scored", "answers", "score"]


@dataclass(frozen=True)
class Scored:
    """Scored rows.

    Args:
        frame: the model's typed columns, shape (rows, columns).
        matrix: what the model reads, shape (rows, features).
        scores: probabilities, shape (rows, classes), or values, shape (rows,).
        truth: class codes or values, shape (rows,); NaN where the label has not come.
    """

    frame: pd.DataFrame
    matrix: np.ndarray
    scores: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: np.ndarray) -> Scored:
        """The rows of a mask, or at positions."""
        return Scored(self.frame.iloc[_places(rows)], self.matrix[rows], self.scores[rows], self.truth[rows])

    @property
    def labelled(self) -> Scored:
        """The rows whose truth is known."""
        known = ~np.isnan(self.truth)
        return self if known.all() else self.take(known)

    def sample(self, size: int, seed: int = 0) -> Scored:
        """At most `size` rows, drawn at random and left in order."""
        if len(self) <= size:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), size, replace=False)))


def _places(rows: np.ndarray) -> np.ndarray:
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def score(scorer: Scorer, frame: pd.DataFrame, truth: np.ndarray | None = None) -> Scored:
    """Scores a typed frame."""
    matrix = scorer.encoder.encode(frame)
    known = np.full(len(frame), np.nan) if truth is None else np.asarray(truth, dtype="float64")
    return Scored(frame, matrix, scorer.predictor.predict(matrix), known)


def answers(scorer: Scorer, scores: np.ndarray) -> Mapping[str, np.ndarray]:
    """The numbers that make up an answer: each class's probability but the first's, or the value."""
    if not scorer.classes:
        return {"prediction": scores}
    return {f"proba_{label}": scores[:, k] for k, label in enumerate(scorer.classes) if k}
