"""The first pass over a table too large for memory: what each column is, from its distinct values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leaflab.identity import column_hashes
from leaflab.prepare.typing import ARROW, arrow_array, find_rule, plain_array
from leaflab.scorer.columns import Column, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Known", "Survey"]

_MOST, _WAITING = 300_000, 1_500_000


@dataclass
class Known:
    """A column after the survey.

    Args:
        column: its rule.
        values: the distinct texts seen; None where there were too many to keep, or the column holds no text.
        typed: the same, typed, with a null at the end.
        bad: which of them the rule cannot read, with a False at the end.
        hashes: what each adds to a row's hash, with that of a missing value at the end.
        varies: whether the column has more than one value.
    """

    column: Column
    values: pa.Array[Any] | None
    typed: pa.Array[Any] | None
    bad: NDArray[np.bool_]
    hashes: NDArray[np.uint64]
    varies: bool

    def typed_batch(self, array: pa.Array[Any]) -> tuple[pa.Array[Any], NDArray[np.bool_], NDArray[np.uint64]]:
        """A batch of the column: typed values, unreadable rows, and hashes, each shape (rows,)."""
        if self.values is None or self.typed is None:
            return self._directly(array)
        coded = array.dictionary_encode()
        places = pc.index_in(coded.dictionary, value_set=self.values).fill_null(len(self.values))
        last = np.append(places.to_numpy(), len(self.values))
        codes = last[coded.indices.fill_null(len(coded.dictionary)).to_numpy()]
        bad = self.bad[codes] if self.bad.any() else np.zeros(len(codes), bool)
        return self.typed.take(pa.array(codes)), bad, self.hashes[codes]

    def _directly(self, array: pa.Array[Any]) -> tuple[pa.Array[Any], NDArray[np.bool_], NDArray[np.uint64]]:
        values, bad = parse(array.to_pandas(), self.column)
        typed = arrow_array(values, ARROW[self.column.kind])
        return typed, bad, column_hashes(self.column.name, values)


@dataclass
class _Seen:
    kind: pa.DataType
    tables: list[pa.Table] | None = field(default_factory=list)
    waiting: int = 0
    least: Any = None
    most: Any = None
    nulls: int = 0

    def merge(self) -> pa.Table:
        """Distinct texts (`value`) and their counts (`rows`)."""
        if not self.tables:
            return pa.table({"value": pa.array([], self.kind), "rows": pa.array([], pa.int64())})
        whole = pa.concat_tables(self.tables).group_by("value", use_threads=False).aggregate([("rows", "sum")])
        self.tables = [whole.rename_columns(["value", "rows"])]
        self.waiting = whole.num_rows
        return self.tables[0]


class Survey:
    """Counts distinct texts (as far as memory allows), and the extremes of numbers and times.

    Args:
        names: the columns to look at.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.rows = 0
        self._seen: dict[str, _Seen] = {}

    def update(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows."""
        self.rows += batch.num_rows
        for name in self.names:
            array = plain_array(name, batch.column(name))
            seen = self._seen.setdefault(name, _Seen(array.type))
            seen.nulls += array.null_count
            if _is_text(array.type):
                _count(seen, array)
            elif not pa.types.is_null(array.type):
                ends = pc.min_max(array)
                low, high = ends["min"].as_py(), ends["max"].as_py()
                if low is not None:
                    seen.least = low if seen.least is None else min(seen.least, low)
                    seen.most = high if seen.most is None else max(seen.most, high)

    def result(self, missing: tuple[str, ...], rules: Mapping[str, Mapping[str, Any]]) -> dict[str, Known]:
        """Each column's rule, and its texts typed once and for all."""
        return dict(self._known(missing, rules))

    def _known(self, missing: tuple[str, ...], rules: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Known]]:
        for name, seen in self._seen.items():
            counts = seen.merge()
            if seen.waiting > _MOST:
                seen.tables = None
            distinct, occurs = counts["value"].to_pandas(), counts["rows"].to_numpy()
            if seen.tables is None:
                rule = rules.get(name, {"kind": "text"})
                column = find_rule(name, seen.kind, pd.Series([], dtype="str"), occurs, missing, {name: rule}).column
                yield name, Known(column, None, None, np.zeros(0, bool), np.zeros(0, "uint64"), True)
                continue
            column = find_rule(name, seen.kind, distinct, occurs, missing, rules).column
            if not _is_text(seen.kind):
                varies = seen.least != seen.most or (seen.least is not None and seen.nulls > 0)
                yield name, Known(column, None, None, np.zeros(0, bool), np.zeros(0, "uint64"), varies)
                continue
            values, bad = parse(pd.concat([distinct, pd.Series([None], dtype="str")], ignore_index=True), column)
            typed = arrow_array(values, ARROW[column.kind])
            hashes = column_hashes(name, values)
            varies = len(pc.unique(typed if seen.nulls else typed[:-1])) > 1
            yield name, Known(column, arrow_array(distinct, seen.kind), typed, bad, hashes, varies)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _count(seen: _Seen, array: pa.Array[Any]) -> None:
    """Adds a batch's texts to the counts; the tables of several batches are merged at once."""
    if seen.tables is None:
        return
    counted: Any = pc.value_counts(array.drop_null())
    seen.tables.append(pa.table({"value": counted.field(0), "rows": counted.field(1)}))
    seen.waiting += len(counted)
    if seen.waiting > _WAITING:
        seen.merge()
        if seen.waiting > _MOST:
            seen.tables = None
