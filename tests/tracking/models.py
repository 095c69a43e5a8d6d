"""Small real models for the tests of tracking."""

from __future__ import annotations

import lightgbm
import numpy as np
import pyarrow as pa

from leaflab.scorer import Column, Encoder, Feature, Scorer
from leaflab.scorer.predictor import Boosters, Constant

COLUMNS = (Column("a", "number"), Column("b", "number", required=False))
RAW = pa.table({"a": [1, 2, 3, 4], "b": [0.5, None, 1.5, 2.0]})


def constant(share: float = 0.25) -> Scorer:
    return Scorer("binary", ("no", "yes"), COLUMNS, encoder(), Constant((1 - share, share)), {"target": "y"})


def boosted(rounds: int = 3, seed: int = 0) -> Scorer:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(200, 2))
    train = lightgbm.Dataset(matrix, (matrix[:, 0] + rng.normal(size=200) > 0).astype(float), feature_name=["a", "b"])
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": seed, "num_leaves": 7}
    booster = lightgbm.train(params, train, rounds)
    return Scorer("binary", ("no", "yes"), COLUMNS, encoder(), Boosters([booster.model_to_string()]), {"target": "y"})


def encoder() -> Encoder:
    return Encoder((Feature("a", "a", "number"), Feature("b", "b", "number")))
