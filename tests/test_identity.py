"""Digests see every cell and nothing else; row ids see content and nothing else."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.identity import Digester, digest, fold, row_ids

NOW = dt.datetime(2026, 1, 2, 3, 4, 5)
TABLE = pa.table(
    {
        "n": pa.array([1, None, 3, 4], "int64"),
        "x": pa.array([0.5, 1.5, None, float("nan")], "float64"),
        "s": pa.array(["a", "", None, "dé"], "string"),
        "b": pa.array([True, False, None, True]),
        "t": pa.array([NOW, None, NOW, NOW], pa.timestamp("us")),
        "z": pa.array([NOW, None, NOW, NOW], pa.timestamp("us", "UTC")),
        "d": pa.array([NOW.date(), None, NOW.date(), NOW.date()], pa.date32()),
        "m": pa.array([Decimal("1.10"), None, Decimal("2.20"), Decimal("3.30")], pa.decimal128(9, 2)),
        "y": pa.array([b"\x00", b"", None, b"ab"], pa.binary()),
        "l": pa.array([[1, 2], [], None, [None]], pa.list_(pa.int64())),
        "o": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}]),
    }
)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_chunks_do_not_matter(size: int) -> None:
    assert digest(pa.Table.from_batches(TABLE.to_batches(max_chunksize=size))) == digest(TABLE)


@pytest.mark.parametrize("new", TABLE.column_names)
def test_a_digest_goes_on_under_more_columns(new: str) -> None:
    old = TABLE.drop_columns([new])
    so_far = Digester(old.schema)
    so_far.update(old.slice(0, 2).combine_chunks().to_batches()[0])
    wide = pa.schema([*old.schema, TABLE.schema.field(new)])
    further = so_far.widened(wide)
    further.update(TABLE.select(wide.names).slice(2).combine_chunks().to_batches()[0])
    rows = old.append_column(new, pa.concat_arrays([pa.nulls(2, wide.field(new).type), *TABLE.column(new)[2:].chunks]))
    assert further.result() == digest(rows)
    assert so_far.result() == digest(old.slice(0, 2))


def test_slices_are_read_at_their_offset() -> None:
    for start in range(4):
        assert digest(TABLE.slice(start, 1)) == digest(TABLE.take([start]))


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("s", pa.large_string()),
        ("s", pa.dictionary(pa.int8(), pa.string())),
        ("n", pa.int8()),
        ("t", pa.timestamp("ns")),
    ],
)
def test_how_a_value_is_stored_does_not_matter(column: str, kind: pa.DataType) -> None:
    at = TABLE.schema.get_field_index(column)
    assert digest(TABLE.set_column(at, column, TABLE.column(column).cast(kind))) == digest(TABLE)


@pytest.mark.parametrize("column", TABLE.column_names)
@pytest.mark.parametrize("row", [0, 1])
def test_one_changed_cell_changes_the_digest_and_names_its_column(column: str, row: int) -> None:
    at = TABLE.schema.get_field_index(column)
    values = TABLE.column(column).to_pylist()
    values[row] = values[3] if values[row] is None else None
    before, after = digest(TABLE), digest(TABLE.set_column(at, column, pa.array(values, TABLE.schema.types[at])))
    assert after.table != before.table
    assert [name for name in TABLE.column_names if after.columns[name] != before.columns[name]] == [column]


def test_names_order_of_columns_and_of_rows_count() -> None:
    base = digest(TABLE).table
    assert digest(TABLE.rename_columns(["N", *TABLE.column_names[1:]])).table != base
    assert digest(TABLE.select(TABLE.column_names[::-1])).table != base
    assert digest(TABLE.take([1, 0, 2, 3])).table != base
    assert digest(TABLE.slice(0, 3)).table != base


def test_texts_cannot_flow_into_one_another() -> None:
    assert digest(pa.table({"s": ["ab", "c"]})).table != digest(pa.table({"s": ["a", "bc"]})).table
    assert digest(pa.table({"s": ["", None]})).table != digest(pa.table({"s": [None, ""]})).table
    assert digest(pa.table({"s": pa.array([None], "string")})).table != digest(pa.table({"s": [""]})).table


def test_a_number_is_not_its_text() -> None:
    assert digest(pa.table({"a": [1]})).table != digest(pa.table({"a": [1.0]})).table
    assert digest(pa.table({"a": [1]})).table != digest(pa.table({"a": ["1"]})).table


def test_an_empty_table_has_a_digest() -> None:
    digester = Digester(TABLE.schema)
    assert digester.result().rows == 0
    assert digester.result() == digest(TABLE.slice(0, 0))


def test_fold_is_stable() -> None:
    assert fold({"a": [1, "é"]}) == "5db14a2cddc92d31365806bb5d82ed2b"


FRAME = pd.DataFrame(
    {
        "n": [1.0, 2.0, np.nan],
        "s": ["a", None, "c"],
        "b": [True, False, True],
        "t": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
    }
)


def test_row_ids_are_the_same_on_every_machine() -> None:
    assert row_ids(FRAME).tolist() == row_ids(FRAME.copy()).tolist()
    assert row_ids(pd.DataFrame({"a": [1.0], "b": ["x"]})).tolist() == ["bf019305790d6e56"]


def test_row_ids_follow_content_only() -> None:
    ids = row_ids(FRAME)
    assert len(set(ids)) == 3
    assert row_ids(FRAME[::-1]).tolist() == ids[::-1].tolist()
    assert row_ids(FRAME[["t", "b", "s", "n"]]).tolist() == ids.tolist()
    assert row_ids(FRAME.iloc[1:2]).tolist() == ids[1:2].tolist()
    same = FRAME.assign(n=FRAME["n"].astype("Int64"), b=FRAME["b"].astype("float64"), s=FRAME["s"].astype("category"))
    assert row_ids(same).tolist() == ids.tolist()
    assert row_ids(pd.DataFrame({"a": [0.0]})).tolist() == row_ids(pd.DataFrame({"a": [-0.0]})).tolist()


def test_row_ids_see_every_cell() -> None:
    ids = row_ids(FRAME)
    for column, value in {"n": 1.5, "s": "z", "b": False, "t": pd.Timestamp("2021-01-01")}.items():
        changed = FRAME.copy()
        changed.loc[0, column] = value
        assert (row_ids(changed) != ids).tolist() == [True, False, False], column


def test_equal_values_in_two_columns_do_not_cancel() -> None:
    one, two = pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"a": [2.0], "b": [1.0]})
    assert row_ids(one)[0] != row_ids(two)[0]


def test_no_collisions_in_a_million_rows() -> None:
    frame = pd.DataFrame({"a": np.arange(1000.0).repeat(1000), "b": np.tile(np.arange(1000.0), 1000)})
    assert len(np.unique(row_ids(frame))) == 1_000_000


def test_an_empty_frame_has_no_ids() -> None:
    assert row_ids(FRAME.iloc[:0]).shape == (0,)
