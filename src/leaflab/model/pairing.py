"""Which features made of other columns are worth offering to a search.

A screen keeps them few: the columns that tell most on a sample of the training rows are paired, and those pairs are
kept that gain most beside everything else. It keeps none where that does not pay: pairs chosen on one half of the
sample have to lower the loss on the other by more than chance. Of all kinds, if need be of those of two numbers alone.
Where there are some, a search tries fits with them and without. Numbers that turn out to be names are given to every
fit as categories, and pairs have to pay beside them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from leaflab.model.candidates import candidates
from leaflab.model.encoding import labels_of
from leaflab.model.naming import telling_names
from leaflab.model.screening import TREES, Sampled, learnt, pays
from leaflab.scorer.encoder import PAIRS, Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["telling_features"]

_ROWS = 10_000
_CELLS = 2_000_000
_FEWEST, _MOST = 2_000, 1_000_000
_CLASSES = 30
_BESIDE = 60


def telling_features(
    dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, most: int
) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Numbers as categories where they are surely names, and at most so many pairs of columns, the most telling first,
    with numbers that may be names.

    None where they are not wanted (`most` is 0), on few rows, which would overfit, on very many, where the matrix would
    grow by gigabytes, on very many classes, where the screen would take long, beside monotone constraints, which a pair
    could break, and where they do not pay.

    Args:
        dataset: its columns, target and constraints.
        encoder: the features there are already.
        frame: the typed training rows, in order of time where there is a time column.
        most: how many pairs to keep.
    """
    many = dataset.outputs > _CLASSES or not _FEWEST <= len(frame) <= _MOST
    if not most or many or any(dataset.monotone.values()):
        return (), ()
    random = np.random.default_rng(0)
    size = min(len(frame), _ROWS, _CELLS // max(1, len(encoder.features)))
    rows = np.sort(random.permutation(len(frame))[:size])
    sample = frame.iloc[rows]
    matrix, target = encoder.encode(sample), labels_of(dataset, sample).astype("float64")
    told = learnt(matrix, target, dataset.outputs, encoder.categorical, TREES).feature_importance("gain")
    made = candidates(dataset, encoder, frame, matrix, told)
    beside = np.sort(np.argsort(-told, kind="stable")[:_BESIDE])
    sampled = Sampled(dataset, encoder, frame, rows, matrix, target, beside, *_sides(dataset, frame, rows, random))
    with ThreadPoolExecutor(2) as threads:
        halves = sampled.halves(made, threads)
        names, sure = telling_names(sampled, made, halves, random, threads) if made.names else ((), False)
        if sure:
            sampled = sampled.beside_these(names)
            made = replace(made, named=[name.state["by"] for name in names])
            halves = sampled.halves(made, threads)
        pairs = made.features(np.full(len(frame), True))

        def pay(among: int) -> bool:
            gains = threads.map(lambda one: one.gained(one.best(most, among)), halves)
            return pays(np.concatenate(list(gains)))

        kinds = dict.fromkeys((len(pairs), sum(pair.op in PAIRS for pair in pairs)))
        among = next((count for count in kinds if count and pay(count)), 0)
    best = sampled.screen(pairs, np.full(size, True)).best(most, among) if among else ()
    chosen = tuple(pairs[i] for i in best)
    return (names, chosen) if sure else ((), chosen + names)


def _sides(
    dataset: Dataset, frame: pd.DataFrame, rows: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Two halves of all rows (a mask), and whether the sample's `rows` of one are strangers to all rows of the other.

    What is judged is as strange to the rows learnt from as the rows that are scored later will be: later in time where
    there is a time column, of other groups where there are groups.
    """
    if dataset.roles.time:
        return np.arange(len(frame)) < rows[len(rows) // 2], True
    if dataset.roles.group:
        group = frame[dataset.roles.group].factorize()[0]
        names = random.permutation(np.unique(group))
        return np.isin(group, names[: len(names) // 2]), True
    half = random.random(len(rows)) < 0.5
    side = random.random(len(frame)) < 0.5
    side[rows] = half
    return side, False
