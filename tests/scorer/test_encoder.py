"""Operations of the encoder: value by value, the same in a batch, alone, and where pyarrow is not installed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from leaflab.scorer.encoder import GROUPS, OPS, PAIRS, Encoder, Feature

NUMBERS = pd.Series([1.0, -2.5, np.nan, 30.0])
TEXTS = pd.Series(["red", "new", None, "red blue red"], dtype="str")
TIMES = pd.Series(pd.to_datetime(["2024-01-31 10:30", None, "1969-12-31 23:59", "2024-06-30 00:00"]))

CASES = {
    "number": (NUMBERS, {}, [1, -2.5, np.nan, 30]),
    "scaled": (NUMBERS, {"fill": 5.0, "center": 1.0, "scale": 2.0}, [0, -1.75, 2, 14.5]),
    "missing": (NUMBERS, {}, [0, 0, 1, 0]),
    "codes": (TEXTS, {"levels": ["blue", "red"]}, [1, np.nan, np.nan, np.nan]),
    "level": (TEXTS, {"level": "red"}, [1, 0, 0, 0]),
    "mean": (TEXTS, {"levels": ["red"], "values": [0.75], "default": 0.5}, [0.75, 0.5, 0.5, 0.5]),
    "lookup": (TEXTS, {"levels": ["red"], "values": [7.0], "default": 1.0}, [7, 1, 1, 1]),
    "hash": (TEXTS, {"buckets": 8}, None),
    "part": (TIMES, {"part": "dayofweek"}, [2, np.nan, 2, 6]),
    "cycle": (TIMES, {"part": "hour", "period": 24, "axis": "cos"}, None),
    "word": (TEXTS, {"bucket": 0, "of": 1}, [1, 1, 0, 3]),
    "term": (TEXTS, {"term": "red", "weight": 1.5}, [1.5, 0, 0, 3]),
}


def test_every_operation_is_tried():
    assert set(CASES) == set(OPS)


@pytest.mark.parametrize("op", CASES)
def test_an_operation_reads_each_value_by_itself(op):
    values, state, expected = CASES[op]
    together = OPS[op](values, json.loads(json.dumps(state)))
    alone = np.concatenate([OPS[op](values.iloc[[row]], state) for row in range(len(values))])
    np.testing.assert_array_equal(together, alone)
    if expected is not None:
        np.testing.assert_allclose(together, expected)


def test_quantiles_fall_between_zero_and_one():
    state = {"quantiles": [0.0, 0.0, 10.0], "references": [0.0, 0.5, 1.0]}
    np.testing.assert_allclose(OPS["scaled"](NUMBERS, state), [0.55, 0.0, np.nan, 1.0])


@pytest.mark.parametrize(
    ("op", "expected"), [("ratio", [2, np.nan]), ("product", [8, 0]), ("sum", [6, 3]), ("difference", [2, 3])]
)
def test_pairs(op, expected):
    np.testing.assert_array_equal(PAIRS[op](np.array([4.0, 3.0]), np.array([2.0, 0.0])), expected)


@pytest.mark.parametrize(("by", "levels"), [(1, [0.0, 1.0]), (2, [-0.5, 4.0])])
def test_a_group_has_a_usual_number_and_a_row_is_beyond_it(by, levels):
    frame = pd.DataFrame({"x": NUMBERS, "kind": TEXTS, "key": [4.0, -0.5, np.nan, 0.0]})
    state = {"of": 0, "by": by, "levels": levels, "values": [8.0, 7.0], "default": 0.5}
    features = (
        Feature("x", "x", "number"),
        Feature("kind", "kind", "codes", {"levels": ["new", "red"]}, categorical=True),
        Feature("key", "key", "number"),
        *(Feature(op, "x", op, state) for op in ("usual", "beyond")),
        Feature("coded", "key", "coded", {name: state[name] for name in ("by", "levels", "values")}, categorical=True),
    )
    assert set(GROUPS) == {f.op for f in features[3:]}
    encoder = Encoder.from_json(json.loads(json.dumps(Encoder(features).to_json())))
    usual, beyond, coded = encoder.encode(frame)[:, 3:].T
    np.testing.assert_array_equal(usual, [7, 8, 0.5, 0.5])
    np.testing.assert_array_equal(beyond, [-6, -10.5, np.nan, 29.5])
    np.testing.assert_array_equal(coded, [7, 8, np.nan, np.nan])


def test_a_matrix_has_a_column_a_feature():
    features = (
        Feature("a per b", "a", "ratio", {"other": "b"}),
        Feature("kind", "kind", "codes", {"levels": ["x"], "others": True}, categorical=True),
        Feature("words 0 of kind", "kind", "word", {"bucket": 0, "of": 2}),
        Feature("words 1 of kind", "kind", "word", {"bucket": 1, "of": 2}),
    )
    encoder = Encoder.from_json(json.loads(json.dumps(Encoder(features).to_json())))
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 0.0], "kind": pd.Series(["x", "one two"], dtype="str")})
    matrix = encoder.encode(frame)
    assert encoder.categorical == [1]
    np.testing.assert_array_equal(matrix[:, :2], [[0.5, 0], [np.nan, 1]])
    np.testing.assert_array_equal(matrix[:, 2:].sum(axis=1), [0, 2])


def test_works_without_pyarrow():
    code = """
import sys
sys.modules["pyarrow"] = None
import pandas as pd
from leaflab.scorer import Column, Encoder, Feature, typed
columns = [Column("n", "number", decimal=","), Column("k", "category", missing=("?",))]
columns.append(Column("t", "time", format="ISO8601"))
frame = pd.DataFrame({"n": ["1,5", None], "k": [" a", "?"], "t": ["2024-01-01", None]})
codes, month = Feature("k", "k", "codes", {"levels": ["a"]}), Feature("t", "t", "part", {"part": "month"})
print(Encoder((Feature("n", "n", "number"), codes, month)).encode(typed(frame, columns)).tolist())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[[1.5, 0.0, 1.0], [nan, nan, nan]]", done.stderr
