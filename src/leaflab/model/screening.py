"""A sample of the training rows, and small boosters that tell which of some features lower their loss."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.model.candidates import Candidates
from leaflab.model.encoding import labels_of
from leaflab.model.selection import small_booster
from leaflab.scorer.encoder import Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd
    from lightgbm import Booster

    from leaflab.values import Dataset

__all__ = ["TREES", "Sampled", "Screen", "learnt", "pays"]

TREES = 60
_TREES_AGAIN, _TREES_JUDGED = 100, 300
_SHARE = 0.5
_COARSE: dict[str, Any] = {"max_bin": 63}
_SURE = 2.0  # standard errors


def pays(gains: np.ndarray) -> bool:
    """Whether rows gain more than chance."""
    return bool(gains.mean() > _SURE * gains.std() / np.sqrt(len(gains)))


def learnt(
    matrix: np.ndarray, target: np.ndarray, outputs: int, categorical: list[int], trees: int, **how: Any
) -> Booster:
    """A small booster of so many trees, which are several a round where there are more than two classes."""
    rounds = max(10, trees // outputs if outputs > 2 else trees)
    return small_booster(matrix, target, outputs, categorical, rounds, **_COARSE, **how)


@dataclass(frozen=True)
class Sampled:
    """A sample of the training rows.

    Args:
        dataset, encoder, frame: as `telling_features` is given them.
        rows, matrix, target: the sample's places in the frame, its encoded features, and class codes or values.
        beside: places of the features that others stand beside.
        side, strangers: two halves of the frame's rows, as `_sides` gives them.
    """

    dataset: Dataset
    encoder: Encoder
    frame: pd.DataFrame
    rows: np.ndarray
    matrix: np.ndarray
    target: np.ndarray
    beside: np.ndarray
    side: np.ndarray
    strangers: bool

    def halves(self, made: Candidates, threads: ThreadPoolExecutor) -> list[Screen]:
        """The screens that learn from the sample's rows of one half and the other. What judges takes no part in the
        means of groups either."""
        free = np.full(len(self.frame), not self.strangers)
        free[self.rows] = False

        def of(mine: np.ndarray) -> Screen:
            return self.screen(made.features(mine | free), mine[self.rows])

        return list(threads.map(of, (self.side, ~self.side)))

    def beside_these(self, features: tuple[Feature, ...]) -> Sampled:
        """The same sample with further features, which all others stand beside."""
        encoder = Encoder(self.encoder.features + features)
        matrix = encoder.encode(self.frame.iloc[self.rows], known=self.matrix)
        beside = np.append(self.beside, np.arange(len(self.encoder.features), len(encoder.features)))
        return replace(self, encoder=encoder, matrix=matrix, beside=beside)

    @property
    def categorical(self) -> list[int]:
        """Positions of category codes among the features that others stand beside."""
        return [place for place, column in enumerate(self.beside) if column in self.encoder.categorical]

    def plain(self, rows: np.ndarray) -> np.ndarray:
        """The features that others stand beside, of these rows of the frame."""
        return Encoder(tuple(self.encoder.features[place] for place in self.beside)).encode(self.frame.iloc[rows])

    def truth(self, rows: np.ndarray) -> np.ndarray:
        """Class codes or values of these rows of the frame."""
        return labels_of(self.dataset, self.frame.iloc[rows]).astype("float64")

    def screen(self, features: tuple[Feature, ...], learning: np.ndarray) -> Screen:
        plain, outputs, sample = self.encoder.features, self.dataset.outputs, self.frame.iloc[self.rows]
        values = Encoder(plain + features).encode(sample, known=self.matrix)[:, len(plain) :]
        return Screen(outputs, self.categorical, self.matrix[:, self.beside], values, self.target, learning)


@dataclass(frozen=True)
class Screen:
    """A sample's columns that pairs stand beside, the pairs, and what small boosters learn from both.

    Args:
        outputs: 1 for regression, else the number of classes.
        categorical: positions of category codes in `beside`, and in the pairs after them.
        beside, pairs: the columns, shape (rows, columns).
        target: class codes or values.
        learning: the rows that are learnt from (a mask).
    """

    outputs: int
    categorical: list[int]
    beside: np.ndarray
    pairs: np.ndarray
    target: np.ndarray
    learning: np.ndarray

    def best(self, most: int, among: int) -> np.ndarray:
        """Of the first so many pairs those that gain most beside everything else, by their number.

        In two passes: among all of them, pairs that tell the same share what they gain.
        """
        likely = self._ranked(np.arange(among), TREES)[: 2 * most]
        return self._ranked(likely, _TREES_AGAIN)[:most]

    def _ranked(self, pairs: np.ndarray, trees: int) -> np.ndarray:
        """Those of these pairs that gain anything, the most first."""
        told = self._grown(self._with(pairs), trees, feature_fraction=_SHARE).feature_importance("gain")
        told = told[self.beside.shape[1] :]
        ranked = np.argsort(-told, kind="stable")
        return pairs[ranked[told[ranked] > 0]]

    def gained(self, pairs: np.ndarray) -> np.ndarray:
        """By how much these pairs lower the loss on each row that was not learnt from."""
        wider = self._with(pairs)
        return self._without - self._losses(self._stopped(wider), wider)

    def left(self, beside: np.ndarray, target: np.ndarray) -> np.ndarray:
        """What the columns that are there already leave unexplained of other rows, shape (rows, outputs)."""
        truth = np.eye(self.outputs)[target.astype("int64")] if self.outputs > 1 else target[:, None]
        return np.asarray(truth - self._answers(self._plain, beside))

    @cached_property
    def _plain(self) -> Booster:
        return self._stopped(self.beside)

    @cached_property
    def _without(self) -> np.ndarray:
        return self._losses(self._plain, self.beside)

    def _with(self, pairs: np.ndarray) -> np.ndarray:
        return np.hstack([self.beside, self.pairs[:, pairs]])

    def _stopped(self, matrix: np.ndarray) -> Booster:
        held = matrix[~self.learning], self.target[~self.learning]
        return self._grown(matrix, _TREES_JUDGED, held=held)

    def _answers(self, booster: Booster, matrix: np.ndarray) -> np.ndarray:
        """Values, or probabilities, shape (rows, outputs)."""
        found = np.asarray(booster.predict(matrix, num_threads=1))
        return np.column_stack([1 - found, found]) if self.outputs == 2 else found.reshape(len(matrix), -1)

    def _losses(self, booster: Booster, matrix: np.ndarray) -> np.ndarray:
        """Squared errors, or log losses, on the rows that were not learnt from."""
        truth = self.target[~self.learning]
        answers = self._answers(booster, matrix[~self.learning])
        if self.outputs == 1:
            return np.asarray((answers[:, 0] - truth) ** 2)
        return np.asarray(-np.log(np.maximum(answers[np.arange(len(truth)), truth.astype("int64")], 1e-15)))

    def _grown(self, matrix: np.ndarray, trees: int, **how: Any) -> Booster:
        rows, kinds = self.learning, [place for place in self.categorical if place < matrix.shape[1]]
        return learnt(matrix[rows], self.target[rows], self.outputs, kinds, trees, **how)
