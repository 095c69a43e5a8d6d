"""Features made of two numeric columns, which trees find only by many splits: sums, differences, products, ratios.

A screen keeps them few: the columns that tell most on a sample of the training rows are paired, and those pairs are
kept that gain most beside everything else. Models may use them or not; where they do, a search tries both.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from leaflab.model.encoding import labels_of
from leaflab.model.selection import gains
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
_TREES = 60
_SHARE = 0.5
_SIGNS = {"sum": "+", "difference": "-", "product": "*", "ratio": "/"}


def telling_pairs(dataset: Dataset, encoder: Encoder, frame: pd.DataFrame, most: int) -> tuple[Feature, ...]:
    """At most so many pairs of columns, the most telling first.

    None where they are not wanted (`most` is 0), on few rows, which would overfit, on very many, where the matrix would
    grow by gigabytes, and beside monotone constraints, which a pair could break.

    Args:
        dataset: its columns, target and constraints.
        encoder: the features there are already.
        frame: the typed training rows.
        most: how many to keep.
    """
    if not most or not _FEWEST <= len(frame) <= _MOST or any(dataset.monotone.values()):
        return ()
    size = min(_ROWS, _CELLS // max(1, len(encoder.features)))
    sample = frame.iloc[np.sort(np.random.default_rng(0).permutation(len(frame))[:size])]
    matrix, target = encoder.encode(sample), labels_of(dataset, sample).astype("float64")
    rounds = max(10, _TREES // dataset.outputs)

    def gained(columns: np.ndarray, share: float) -> np.ndarray:
        return gains(columns, target, dataset.outputs, encoder.categorical, rounds=rounds, feature_fraction=share)

    numbers = {c.name for c in dataset.columns if c.kind == "number"}
    places = [i for i, f in enumerate(encoder.features) if f.column in numbers and f.op in ("number", "scaled")]
    places = [i for i in places if len(np.unique(matrix[:, i])) > _VALUES]
    told = gained(matrix, 1.0)
    best = sorted((i for i in places if told[i] > 0), key=lambda i: -told[i])[:_COLUMNS]
    made = [
        Feature(f"{one} {sign} {other}", one, op, {"other": other})
        for one, other in combinations([encoder.features[i].column for i in best], 2)
        for op, sign in _SIGNS.items()
    ]
    if not made:
        return ()
    told = gained(np.hstack([matrix, Encoder(tuple(made)).encode(sample)]), _SHARE)[len(encoder.features) :]
    return tuple(made[i] for i in np.argsort(-told, kind="stable")[:most] if told[i] > 0)
