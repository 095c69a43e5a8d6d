"""Encoders learn on the training rows and survive what serving brings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa

from leaflab.model.encoding import fit_encoder
from leaflab.scorer import Column, Encoder, typed
from leaflab.values import Dataset, Roles


def dataset(columns, **features):
    return Dataset(
        "d", "binary", Roles(target="y"), (0, 1), tuple(columns), {"train": pa.table({})}, {}, features=features
    )


def fitted(frame, columns, **features):
    return fit_encoder(dataset(columns, **features), typed(frame, columns))


def test_levels_stand_by_frequency_and_the_unseen_are_missing():
    columns = [Column("c", "category"), Column("n", "number"), Column("b", "boolean")]
    frame = pd.DataFrame({"c": ["x", "y", "y", None], "n": [1, 2, 3, None], "b": [True, False, None, True]})
    encoder = fitted(frame, columns)
    assert encoder.features[0].state == {"levels": ["y", "x"]}
    assert encoder.categorical == [0]
    served = typed(pd.DataFrame({"c": ["new", "x", None], "n": ["7", None, 1], "b": ["yes", 0, None]}), columns)
    expected = [[np.nan, 7, 1], [1, np.nan, 0], [np.nan, 1, np.nan]]
    np.testing.assert_array_equal(encoder.encode(served), expected)


def test_times_become_the_parts_that_vary():
    columns = [Column("t", "time")]
    frame = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=40, freq="D")})
    encoder = fitted(frame, columns)
    assert encoder.names == ["epoch_days of t", "month of t", "day of t", "dayofweek of t"]
    assert encoder.encode(typed(frame, columns))[0].tolist() == [18262, 1, 1, 2]
    assert np.isnan(encoder.encode(typed(pd.DataFrame({"t": [None]}), columns))).all()


def test_survives_json():
    columns = [Column("c", "category"), Column("t", "time"), Column("a[b]", "number")]
    times = pd.date_range("2020-01-01", periods=3, freq="h")
    frame = pd.DataFrame({"c": ["é", "y", "y"], "t": times, "a[b]": [0.1, 1 / 3, None]})
    encoder = fitted(frame, columns)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    np.testing.assert_array_equal(again.encode(typed(frame, columns)), encoder.encode(typed(frame, columns)))
