"""The first pass over a table too large for memory: what each column is, from its distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leaflab.identity import column_hashes
from leaflab.prepare.ahead import THREADS, ahead
from leaflab.prepare.near import fractional
from leaflab.prepare.typing import ARROW, arrow_array, find_rule, is_text, plain_array, refuse_infinite
from leaflab.scorer.columns import Column, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Known", "Survey", "coded"]

_MOST, _WAITING = 300_000, 1_500_000


@dataclass
class Known:
    """A column after the survey.

    Args:
        column: its rule.
        varies: whether the column has more than one value.
        grid: whether it holds numbers with fractions.
        markers: texts read as missing and how often each occurs.
        notes: sentences for the user.
        values: the distinct texts seen; None where there were too many to keep, or the column holds no text.
        typed: the same, typed, with a null at the end.
        bad: which of them the rule cannot read, with a False at the end.
        hashes: what each adds to a row's hash, with that of a missing value at the end.
    """

    column: Column
    varies: bool
    grid: bool = False
    markers: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    values: pa.Array[Any] | None = None
    typed: pa.Array[Any] | None = None
    bad: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, "uint64"))

    def typed_batch(self, array: pa.Array[Any]) -> tuple[pa.Array[Any], NDArray[np.bool_], NDArray[np.uint64]]:
        """A batch of the column: typed values, unreadable rows, and hashes, each shape (rows,).

        Values that are known already come as a dictionary with codes, the same dictionary in every batch.
        """
        if self.values is None or self.typed is None:
            return self._directly(array)
        codes = coded(array, self.values)
        bad = self.bad[codes] if self.bad.any() else np.zeros(len(codes), bool)
        gone = self.typed.is_null().to_numpy(zero_copy_only=False)
        indices = pa.array(codes, mask=gone[codes])
        return pa.DictionaryArray.from_arrays(indices, self.typed), bad, self.hashes[codes]

    def _directly(self, array: pa.Array[Any]) -> tuple[pa.Array[Any], NDArray[np.bool_], NDArray[np.uint64]]:
        raw = plain_array(self.column.name, array).to_pandas()
        values, bad = parse(raw, self.column)
        refuse_infinite(self.column.name, raw, values, bad)
        typed = arrow_array(values, ARROW[self.column.kind])
        return typed, bad, column_hashes(self.column.name, values)


def coded(array: pa.Array[Any], values: pa.Array[Any]) -> NDArray[Any]:
    """Places in `values`, of which every text of the array is one, shape (rows,); that after the last for a null.

    They are integers as narrow as can be, for typed rows wait on disk.
    """
    pairs = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    places = pc.index_in(pairs.dictionary, value_set=values).fill_null(len(values)).to_numpy(zero_copy_only=False)
    last = np.append(places, len(values)).astype(np.min_scalar_type(-len(values) - 2))
    indices = pairs.indices
    if indices.null_count:
        indices = indices.fill_null(len(pairs.dictionary))
    return np.asarray(last[indices.to_numpy(zero_copy_only=False)])


@dataclass
class _Seen:
    kind: pa.DataType = field(default_factory=pa.null)
    tables: list[pa.Table] = field(default_factory=list)
    waiting: int = 0
    full: bool = False
    least: Any = None
    most: Any = None
    nulls: int = 0
    grid: bool = False

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
        self.rows = 0
        self._seen = {name: _Seen() for name in names}

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Takes all rows, some columns at a time, while the next batch is drawn."""
        with ThreadPoolExecutor(THREADS) as pool:
            looks: list[Future[None]] = []
            for batch in batches:
                for look in looks:
                    look.result()
                self.rows += batch.num_rows
                looks = [pool.submit(self._look, name, seen, batch.column(name)) for name, seen in self._seen.items()]
                yield batch
            for look in looks:
                look.result()

    @staticmethod
    def _look(name: str, seen: _Seen, array: pa.Array[Any]) -> None:
        if not is_text(array.type):
            array = plain_array(name, array)
        seen.kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        seen.nulls += array.null_count
        if is_text(array.type):
            _count(seen, array)
        elif not pa.types.is_null(array.type):
            ends = pc.min_max(array)
            low, high = ends["min"].as_py(), ends["max"].as_py()
            if low is not None:
                seen.least = low if seen.least is None else min(seen.least, low)
                seen.most = high if seen.most is None else max(seen.most, high)
            if pa.types.is_floating(array.type) and not seen.grid:
                seen.grid = fractional(array.to_numpy(zero_copy_only=False))

    def result(self, missing: tuple[str, ...], rules: Mapping[str, Mapping[str, Any]]) -> dict[str, Known]:
        """Each column's rule, and its texts typed once and for all."""
        found = ahead(lambda pair: self._known(*pair, missing, rules), self._seen.items())
        return dict(zip(self._seen, found, strict=True))

    def _known(self, name: str, seen: _Seen, missing: tuple[str, ...], rules: Mapping[str, Mapping[str, Any]]) -> Known:
        counts = seen.merge()
        distinct, occurs = counts["value"].to_pandas(), counts["rows"].to_numpy()
        found = find_rule(name, seen.kind, distinct, occurs, missing, rules)
        told = (found.markers, found.notes)
        if not is_text(seen.kind):
            varies = seen.least != seen.most or (seen.least is not None and seen.nulls > 0)
            return Known(found.column, varies, seen.grid and found.column.kind == "number", *told)
        texts = pd.concat([distinct, pd.Series([None], dtype="str")], ignore_index=True)
        values, bad = parse(texts, found.column)
        refuse_infinite(name, texts, values, bad)
        typed = arrow_array(values, ARROW[found.column.kind])
        grid = found.column.kind == "number" and fractional(typed.to_numpy(zero_copy_only=False))
        if seen.full:
            return Known(found.column, True, grid, *told)
        hashes = column_hashes(name, values)
        varies = len(pc.unique(typed if seen.nulls else typed[:-1])) > 1
        return Known(found.column, varies, grid, *told, arrow_array(distinct, seen.kind), typed, bad, hashes)


def _count(seen: _Seen, array: pa.Array[Any]) -> None:
    """Adds a batch's texts to the counts; what a column is shows in the first 300,000 different ones."""
    if seen.full:
        return
    counted: Any = pc.value_counts(array.drop_null())
    values = counted.field(0)
    values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    seen.tables.append(pa.table({"value": values, "rows": counted.field(1)}))
    seen.waiting += len(counted)
    if seen.waiting > _WAITING:
        seen.merge()
        seen.full = seen.waiting > _MOST
