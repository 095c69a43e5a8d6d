"""Encoders learn on the training rows and survive what serving brings."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.model.encoding import fit_encoder, training_matrix
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


MIXED = [Column("n", "number"), Column("c", "category"), Column("t", "time"), Column("b", "boolean")]


def mixed(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(10, 3, rows).round(2)
    numbers[::17] = np.nan
    kinds = rng.choice(["red", "green", "blue", "rare"], rows, p=[0.5, 0.3, 0.19, 0.01]).astype(object)
    kinds[::23] = None
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365 * 24, rows), unit="h")
    y = (rng.random(rows) < np.where(kinds == "red", 0.8, 0.2)).astype("int64")
    return pd.DataFrame({"n": numbers, "c": kinds, "t": times, "b": rng.random(rows) > 0.5, "y": y})


def encoder_of(frame, columns=MIXED, **features):
    made = typed(frame, columns)
    made["y"] = frame["y"]
    return fit_encoder(dataset(columns, **features), made), made


@pytest.mark.parametrize("encode", ["native", "ordinal", "onehot", "target", "hash"])
@pytest.mark.parametrize("text", ["none", "hash", "tfidf"])
def test_every_encoding_survives_serving_and_json(encode, text):
    columns = [*MIXED, Column("note", "text")]
    frame = mixed().assign(note=[f"good thing number {n}" if n % 2 else "bad one" for n in range(200)])
    encoder, made = encoder_of(frame, columns, encode=encode, text=text, rare=5, cycles=True)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    np.testing.assert_array_equal(again.encode(made), encoder.encode(made))
    served = pd.DataFrame(
        {
            "extra": [1, 2],
            "note": [None, "new words"],
            "b": [None, 1],
            "c": ["unseen", None],
            "t": [None, "2030-01-01"],
            "n": ["3", None],
        }
    )
    matrix = again.encode(typed(served, columns))
    assert matrix.shape == (2, len(encoder.names))
    single = np.vstack([again.encode(typed(served.iloc[[row]], columns)) for row in range(2)])
    np.testing.assert_array_equal(single, matrix)


def test_target_means_of_training_rows_are_out_of_fold():
    frame = mixed(400)
    frame["c"] = [f"u{n}" for n in range(400)]
    encoder, made = encoder_of(frame, encode="target")
    data = dataset(MIXED, encode="target")
    place = encoder.names.index("mean y of c")
    seen = np.corrcoef(encoder.encode(made)[:, place], frame["y"])[0, 1]
    unseen = np.corrcoef(training_matrix(data, encoder, made)[:, place], frame["y"])[0, 1]
    assert abs(unseen) < 0.3
    assert seen > 0.9 or np.isnan(seen)
    plain, made = encoder_of(mixed())
    np.testing.assert_array_equal(training_matrix(dataset(MIXED), plain, made), plain.encode(made))


def test_rare_levels_and_unseen_ones_share_a_code():
    frame = mixed()
    encoder, _ = encoder_of(frame, rare=20)
    served = typed(pd.DataFrame({"n": [1] * 3, "c": ["rare", "unseen", None], "t": [None] * 3, "b": [None] * 3}), MIXED)
    codes = encoder.encode(served)[:, 1]
    assert codes[0] == codes[1] == 3
    assert np.isnan(codes[2])


def test_pairs_of_numbers():
    columns = [Column("a", "number"), Column("b", "number")]
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 4.0], "y": [0, 1]})
    encoder, made = encoder_of(frame, columns, pairs={"a per b": ["a", "ratio", "b"], "a + b": ["a", "sum", "b"]})
    np.testing.assert_array_equal(encoder.encode(made)[:, 2:], [[np.nan, 1], [0.5, 6]])


def test_aggregates_of_the_training_rows():
    columns = [Column("n", "number"), Column("c", "category")]
    frame = pd.DataFrame({"n": [1.0, 3.0, 8.0, None], "c": ["a", "a", "b", "b"], "y": [0, 1, 0, 1]})
    encoder, _ = encoder_of(frame, columns, aggregates={"mean n of c": ["n", "mean", "c"]})
    served = typed(pd.DataFrame({"n": [0.0] * 3, "c": ["a", "b", "new"]}), columns)
    np.testing.assert_array_equal(encoder.encode(served)[:, 2], [2, 8, 4])
