"""A table in memory is a source like any other."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from leaflab.errors import SourceError
from leaflab.source.frame import Frame


def test_pandas() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "mixed": [1, "x"],
            "big": [2**70, 1],
            "day": [dt.date(2020, 1, 1), None],
            "c": pd.Categorical(["a", None]),
            "i": pd.array([1, None], dtype="Int64"),
            7: [True, None],
        }
    )
    source = Frame(frame, name="mine")
    table = source.read().table()
    assert source.default_name == "mine"
    assert table.column("mixed").to_pylist() == ["1", "x"]
    assert table.column("big").to_pylist() == [str(2**70), "1"]
    assert table.column("i").to_pylist() == [1, None]
    assert table.column("7").to_pylist() == [True, None]


def test_a_named_index_becomes_a_column_and_another_does_not() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    assert Frame(frame).read().table().to_pydict() == {"key": ["x", "y"], "a": [1, 2]}
    assert Frame(frame.rename_axis(None)).read().table().column_names == ["a"]


def test_arrow() -> None:
    table = pa.table({"a": [1, None]})
    assert Frame(table).read().table().equals(table)


def test_anything_else_is_refused() -> None:
    with pytest.raises(SourceError, match=r"must be a pandas, polars or pyarrow table, got 'list'"):
        Frame([1, 2]).read()
    with pytest.raises(SourceError, match=r"the table in memory is empty"):
        Frame(pd.DataFrame()).read()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1j, 2j], "column 'c' must hold numbers, texts, dates or truth values, got 'complex128'"),
        (pd.Series(["\ud800", "b"], dtype=object), "column 'c' must .*, got 'text that is not Unicode'"),
    ],
)
def test_a_column_that_no_table_can_hold_is_refused_by_name(values: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        Frame(pd.DataFrame({"a": [1, 2], "c": values})).read()
