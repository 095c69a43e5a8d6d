"""Which features made of two columns are worth offering to a search.

A screen keeps them few: the columns that tell most on a sample of the training rows are paired, and those pairs are
kept that gain most beside everything else. It keeps none where that does not pay: pairs chosen on one half of the
sample have to lower the loss on the other by more than chance. Of all kinds, if need be of those of two numbers alone.
Where there are some, a search tries fits with them and without.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.model.candidates import candidates
from leaflab.model.encoding import labels_of
from leaflab.model.selection import small_booster
from leaflab.scorer.encoder import PAIRS, Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd
    from lightgbm import Booster

    from leaflab.values import Dataset

__all__ = ["telling_pairs"]

_ROWS = 10_000
_CELLS = 2_000_000
_FEWEST, _MOST = 2_000, 1_000_000
_CLASSES = 30
_BESIDE = 60
_TREES, _TREES_AGAIN, _TREES_JUDGED = 60, 100, 300
_SHARE = 0.5
_COARSE: dict[str, Any] = {"max_bin": 63}
_SURE = 2.0  # standard errors


def telling_pairs(dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, most: int) -> tuple[Feature, ...]:
    """At most so many pairs of columns, the most telling first.

    None where they are not wanted (`most` is 0), on few rows, which would overfit, on very many, where the matrix would
    grow by gigabytes, on very many classes, where the screen would take long, beside monotone constraints, which a pair
    could break, and where they do not pay.

    Args:
        dataset: its columns, target and constraints.
        encoder: the features there are already.
        frame: the typed training rows, in order of time where there is a time column.
        most: how many to keep.
    """
    many = dataset.outputs > _CLASSES or not _FEWEST <= len(frame) <= _MOST
    if not most or many or any(dataset.monotone.values()):
        return ()
    random = np.random.default_rng(0)
    size = min(len(frame), _ROWS, _CELLS // max(1, len(encoder.features)))
    rows = np.sort(random.permutation(len(frame))[:size])
    sample = frame.iloc[rows]
    matrix, target = encoder.encode(sample), labels_of(dataset, sample).astype("float64")
    told = _learnt(matrix, target, dataset.outputs, encoder.categorical, _TREES).feature_importance("gain")
    made = candidates(dataset, encoder, frame, matrix, told)
    pairs = made.features(np.full(len(frame), True))
    if not pairs:
        return ()
    beside = np.sort(np.argsort(-told, kind="stable")[:_BESIDE])
    categorical = [place for place, column in enumerate(beside) if column in encoder.categorical]

    def screen(features: tuple[Feature, ...], learning: np.ndarray) -> _Screen:
        values = Encoder(encoder.features + features).encode(sample, known=matrix)[:, matrix.shape[1] :]
        return _Screen(dataset.outputs, categorical, matrix[:, beside], values, target, learning)

    def of_half(learning: np.ndarray) -> _Screen:
        return screen(made.features(learning), learning[rows])  # what judges takes no part in the means either

    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(of_half, _halves(dataset, frame, rows, random)))

        def pay(among: int) -> bool:
            gains = np.concatenate(list(threads.map(lambda one: one.gained(most, among), halves)))
            return bool(gains.mean() > _SURE * gains.std() / np.sqrt(size))

        kinds = dict.fromkeys((len(pairs), sum(pair.op in PAIRS for pair in pairs)))
        among = next((count for count in kinds if count and pay(count)), 0)
    return tuple(pairs[i] for i in screen(pairs, np.full(size, True)).best(most, among)) if among else ()


def _halves(
    dataset: Dataset, frame: pd.DataFrame, rows: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are learnt from (a mask), twice, so that each of the sample's `rows` is left out of one of them.

    What is left out is as strange to the others as the rows that are scored later will be: later in time where there is
    a time column, of other groups where there are groups.
    """
    if dataset.roles.time:
        half = np.arange(len(frame)) < rows[len(rows) // 2]
    elif dataset.roles.group:
        group = frame[dataset.roles.group].factorize()[0]
        names = random.permutation(np.unique(group))
        half = np.isin(group, names[: len(names) // 2])
    else:
        mine = random.random(len(rows)) < 0.5
        one, other = np.full((2, len(frame)), True)
        one[rows[~mine]] = other[rows[mine]] = False
        return one, other
    return half, ~half


def _learnt(
    matrix: np.ndarray, target: np.ndarray, outputs: int, categorical: list[int], trees: int, **how: Any
) -> Booster:
    """A small booster of so many trees, which are several a round where there are more than two classes."""
    rounds = max(10, trees // outputs if outputs > 2 else trees)
    return small_booster(matrix, target, outputs, categorical, rounds, **_COARSE, **how)


@dataclass(frozen=True)
class _Screen:
    """A sample's columns that pairs stand beside, the pairs, and what small boosters learn from both.

    Args:
        outputs: 1 for regression, else the number of classes.
        categorical: positions of category codes in `beside`.
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
        likely = self._ranked(np.arange(among), _TREES)[: 2 * most]
        return self._ranked(likely, _TREES_AGAIN)[:most]

    def _ranked(self, pairs: np.ndarray, trees: int) -> np.ndarray:
        """Those of these pairs that gain anything, the most first."""
        told = self._learnt(self._with(pairs), trees, feature_fraction=_SHARE).feature_importance("gain")
        told = told[self.beside.shape[1] :]
        ranked = np.argsort(-told, kind="stable")
        return pairs[ranked[told[ranked] > 0]]

    def gained(self, most: int, among: int) -> np.ndarray:
        """By how much the best of the first so many pairs lower the loss on each row that was not learnt from."""
        return self._without - self._losses(self._with(self.best(most, among)))

    @cached_property
    def _without(self) -> np.ndarray:
        return self._losses(self.beside)

    def _with(self, pairs: np.ndarray) -> np.ndarray:
        return np.hstack([self.beside, self.pairs[:, pairs]])

    def _losses(self, matrix: np.ndarray) -> np.ndarray:
        """Squared errors, or log losses, on the rows that were not learnt from."""
        held, truth = matrix[~self.learning], self.target[~self.learning]
        booster = self._learnt(matrix, _TREES_JUDGED, held=(held, truth))
        answers = np.asarray(booster.predict(held, num_threads=1))
        if self.outputs == 1:
            return np.asarray((answers - truth) ** 2)
        shares = np.column_stack([1 - answers, answers]) if self.outputs == 2 else answers
        return np.asarray(-np.log(np.maximum(shares[np.arange(len(truth)), truth.astype("int64")], 1e-15)))

    def _learnt(self, matrix: np.ndarray, trees: int, **how: Any) -> Booster:
        rows = self.learning
        return _learnt(matrix[rows], self.target[rows], self.outputs, self.categorical, trees, **how)
