"""Features made of two numeric columns, which trees find only by many splits: sums, differences, products, ratios.

A screen keeps them few: the columns that tell most on a sample of the training rows are paired, and those pairs are
kept that gain most beside everything else. It keeps none where that does not pay: pairs chosen on one half of the
sample have to lower the loss on the other by more than chance. Where there are some, a search tries fits with them and
without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from leaflab.model.encoding import labels_of
from leaflab.model.selection import gains, small_booster
from leaflab.scorer.encoder import Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["telling_pairs"]

_ROWS = 10_000
_CELLS = 2_000_000
_FEWEST, _MOST = 2_000, 1_000_000
_COLUMNS = 6
_VALUES = 5
_CLASSES = 30
_BESIDE = 60
_TREES, _TREES_JUDGED = 60, 300
_SHARE = 0.5
_COARSE = {"max_bin": 63}
_SURE = 1.0  # standard errors
_SIGNS = {"sum": "+", "difference": "-", "product": "*", "ratio": "/"}


def telling_pairs(dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, most: int) -> tuple[Feature, ...]:
    """At most so many pairs of columns, the most telling first.

    None where they are not wanted (`most` is 0), on few rows, which would overfit, on very many, where the matrix would
    grow by gigabytes, on very many classes, where the screen would take long, beside monotone constraints, which a pair
    could break, and where they do not pay.

    Args:
        dataset: its columns, target and constraints.
        encoder: the features there are already.
        frame: the typed training rows.
        most: how many to keep.
    """
    many = dataset.outputs > _CLASSES or not _FEWEST <= len(frame) <= _MOST
    if not most or many or any(dataset.monotone.values()):
        return ()
    random = np.random.default_rng(0)
    size = min(len(frame), _ROWS, _CELLS // max(1, len(encoder.features)))
    sample = frame.iloc[np.sort(random.permutation(len(frame))[:size])]
    matrix, target = encoder.encode(sample), labels_of(dataset, sample).astype("float64")
    told = gains(matrix, target, dataset.outputs, encoder.categorical, _rounds(_TREES, dataset.outputs), **_COARSE)
    made = tuple(_pairs(encoder, _numbers(dataset, encoder, matrix), told))
    if not made:
        return ()
    beside = np.sort(np.argsort(-told, kind="stable")[:_BESIDE])
    categorical = [place for place, column in enumerate(beside) if column in encoder.categorical]
    screen = _Screen(dataset.outputs, categorical, matrix[:, beside], Encoder(made).encode(sample), target)
    half = random.random(size) < 0.5
    gained = np.concatenate([screen.gained(rows, most) for rows in (half, ~half)])
    if gained.mean() > _SURE * gained.std() / np.sqrt(size):
        return tuple(made[i] for i in screen.best(np.full(size, True), most))
    return ()


def _numbers(dataset: Dataset, encoder: Encoder, matrix: np.ndarray) -> list[int]:
    """The features that are a numeric column each, of more than a few values."""
    numbers = {c.name for c in dataset.columns if c.kind == "number"}
    places = [i for i, f in enumerate(encoder.features) if f.column in numbers and f.op in ("number", "scaled")]
    return [i for i in places if len(np.unique(matrix[:, i])) > _VALUES]


def _pairs(encoder: Encoder, places: list[int], told: np.ndarray) -> Iterator[Feature]:
    """Every pair of the features in these places that tell most by themselves."""
    best = sorted((i for i in places if told[i] > 0), key=lambda i: -told[i])[:_COLUMNS]
    for one, other in combinations([encoder.features[i].column for i in best], 2):
        for op, sign in _SIGNS.items():
            yield Feature(f"{one} {sign} {other}", one, op, {"other": other})


def _rounds(trees: int, outputs: int) -> int:
    return max(10, trees // outputs if outputs > 2 else trees)


@dataclass(frozen=True)
class _Screen:
    """A sample's columns that pairs stand beside, the pairs, and what small boosters learn from both."""

    outputs: int
    categorical: list[int]
    beside: np.ndarray
    pairs: np.ndarray
    target: np.ndarray

    def best(self, rows: np.ndarray, most: int) -> np.ndarray:
        """The pairs that gain most beside everything else on these rows (a mask), by their number."""
        matrix = np.hstack([self.beside[rows], self.pairs[rows]])
        rounds = _rounds(_TREES, self.outputs)
        told = gains(
            matrix, self.target[rows], self.outputs, self.categorical, rounds, feature_fraction=_SHARE, **_COARSE
        )
        told = told[self.beside.shape[1] :]
        first = np.argsort(-told, kind="stable")[:most]
        return first[told[first] > 0]

    def gained(self, rows: np.ndarray, most: int) -> np.ndarray:
        """By how much the best pairs of these rows lower the loss on each of the others."""
        with_pairs = np.hstack([self.beside, self.pairs[:, self.best(rows, most)]])
        return self._losses(self.beside, rows) - self._losses(with_pairs, rows)

    def _losses(self, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Squared errors, or log losses, on the rows that were not learnt from."""
        held, truth = matrix[~rows], self.target[~rows]
        rounds = _rounds(_TREES_JUDGED, self.outputs)
        booster = small_booster(
            matrix[rows], self.target[rows], self.outputs, self.categorical, rounds, held=(held, truth), **_COARSE
        )
        answers = np.asarray(booster.predict(held, num_threads=1))
        if self.outputs == 1:
            return np.asarray((answers - truth) ** 2)
        shares = np.column_stack([1 - answers, answers]) if self.outputs == 2 else answers
        return np.asarray(-np.log(np.maximum(shares[np.arange(len(truth)), truth.astype("int64")], 1e-15)))
