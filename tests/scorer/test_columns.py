"""Row-wise rules: the same value reads the same wherever it stands."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from leaflab.scorer import BadTable, Column, parse, typed


def read(values, kind, **rule):
    parsed, bad = parse(pd.Series(values), Column("c", kind, **rule))
    return [None if pd.isna(v) else v for v in parsed], list(np.flatnonzero(bad))


@pytest.mark.parametrize(
    ("values", "rule", "expected", "bad"),
    [
        ([1, 2, None], {}, [1.0, 2.0, None], []),
        (["1", " 2.5 ", "", "x"], {}, [1.0, 2.5, None, None], [3]),
        (["1.234,5", "7"], {"decimal": ",", "thousands": "."}, [1234.5, 7.0], []),
        (["?", " ? ", "NA", "3"], {"missing": ("?", "na")}, [None, None, None, 3.0], []),
        ([-200, -200.0, 5], {"missing": ("-200",)}, [None, None, 5.0], []),
        ([True, False], {}, [1.0, 0.0], []),
        ([1.0, np.inf], {}, [1.0, None], [1]),
        ([1.0, np.inf], {"missing": ("inf",)}, [1.0, None], []),
        (["1", 2, 3.5, None], {}, [1.0, 2.0, 3.5, None], []),
        ([2.0], {"scale": 1000.0}, [2000.0], []),
        (pd.to_datetime(["2020-01-01"]), {}, [None], [0]),
        (pd.to_datetime(["2020-01-01"], utc=True), {}, [None], [0]),
        ([1j], {}, [None], [0]),
        (pd.array([1.5, None], dtype="Float64"), {}, [1.5, None], []),
    ],
)
def test_numbers(values, rule, expected, bad):
    assert read(values, "number", **rule) == (expected, bad)


@pytest.mark.parametrize(
    ("values", "rule", "expected", "bad"),
    [
        ([True, None, False], {}, [1.0, None, 0.0], []),
        (["Yes", "no", "", "?"], {"missing": ("?",)}, [1.0, 0.0, None, None], []),
        (["ja", "nein", "si"], {"words": {"ja": True, "NEIN": False}}, [1.0, 0.0, None], [2]),
        ([1.0, 0, None], {}, [1.0, 0.0, None], []),
        ([2], {}, [None], [0]),
    ],
)
def test_truth_values(values, rule, expected, bad):
    assert read(values, "boolean", **rule) == (expected, bad)


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([" a", "a ", None, ""], {}, ["a", "a", None, None]),
        ([1, 2.0, 2.5, None], {}, ["1", "2", "2.5", None]),
        (pd.array([1, None], dtype="Int64"), {}, ["1", None]),
        (pd.Categorical(["x", None]), {}, ["x", None]),
        ([[1, 2], {"a": 1}, None, 1.0], {}, ["[1, 2]", "{'a': 1}", None, "1"]),
        (["PARIS", "Paris"], {"replace": {"PARIS": "Paris"}}, ["Paris", "Paris"]),
        ([" a"], {"strip": False}, [" a"]),
    ],
)
def test_categories(values, rule, expected):
    assert read(values, "category", **rule) == (expected, [])


def test_a_category_reads_the_same_alone_and_among_others():
    column = Column("c", "category")
    together, _ = parse(pd.Series([1.0, 2.5]), column)
    alone, _ = parse(pd.Series([1.0]), column)
    assert together.iloc[0] == alone.iloc[0] == "1"


@pytest.mark.parametrize(
    ("value", "rule", "expected"),
    [
        ("2020-02-01 10:30", {"format": "ISO8601"}, "2020-02-01 10:30"),
        ("2020-02-01T10:30:00+02:00", {"format": "ISO8601"}, "2020-02-01 08:30"),
        ("03/04/2020", {"dayfirst": True}, "2020-04-03"),
        ("03/04/2020", {}, "2020-03-04"),
        ("03.04.20", {"format": "%d.%m.%y"}, "2020-04-03"),
        (pd.Timestamp("2020-02-01", tz="Asia/Tokyo"), {}, "2020-01-31 15:00"),
    ],
)
def test_times(value, rule, expected):
    parsed, bad = parse(pd.Series([value]), Column("c", "time", **rule))
    assert parsed.dtype == "datetime64[us]"
    assert parsed.iloc[0] == pd.Timestamp(expected)
    assert not bad.any()
    assert read(["soon"], "time", **rule)[1] == [0]


def test_a_typed_frame_ignores_order_and_extra_columns_and_names_what_is_wrong():
    columns = [Column("a", "number"), Column("b", "category", required=False)]
    frame = typed(pd.DataFrame({"z": [1], "a": ["2"]}), columns)
    assert frame.columns.tolist() == ["a", "b"]
    assert frame["b"].isna().all()
    with pytest.raises(ValueError, match="missing column: 'a'"):
        typed(pd.DataFrame({"b": ["x"]}), columns)
    with pytest.raises(ValueError, match="column 'a' must hold finite numbers, got 'x' in row 1"):
        typed(pd.DataFrame({"a": ["1", "x"]}), columns)


def test_survives_json():
    column = Column("größe", "number", missing=("?", "-200"), decimal=",", scale=0.001, words={"ja": True})
    again = Column.from_json(json.loads(json.dumps(column.to_json())))
    assert again == column
    assert Column("a", "number").to_json() == {"name": "a", "kind": "number"}


def test_names_that_are_numbers_are_read_as_in_training():
    columns = [Column("0", "number"), Column("1", "number")]
    frame = typed(pd.DataFrame(np.array([[1.0, 2.0, 3.0]])), columns)
    assert frame.to_dict("list") == {"0": [1.0], "1": [2.0]}


def test_a_column_that_is_there_twice_is_named():
    twice = pd.DataFrame([[1.0, 2.0, "x", "y"]], columns=["a", "a", "b", "b"])
    with pytest.raises(BadTable, match="two columns are named 'a'") as refused:
        typed(twice, [Column("a", "number")])
    assert refused.value.columns == ("a",)
