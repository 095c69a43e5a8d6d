"""Parquet is read as it is asked for."""

from __future__ import annotations

import io
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaflab.source.columnar import Parquet
from leaflab.source.format import Findings
from leaflab.source.piece import Piece


class Watched(io.BytesIO):
    """Knows how many bytes were read of it."""

    taken = 0

    def read(self, size=-1):
        found = super().read(size)
        self.taken += len(found)
        return found


def piece(stream):
    @contextmanager
    def opened():
        yield stream

    return Piece("t.parquet", "t.parquet", opened)


@pytest.mark.parametrize("size", [100, 70_000, 1 << 20])
def test_row_groups_of_any_size_come_whole_and_in_order(size):
    table = pa.table({"n": np.arange(200_000), "x": np.random.default_rng(0).random(200_000)})
    stream = Watched()
    pq.write_table(table.slice(0, 20_000 if size == 100 else None), stream, row_group_size=size)
    batches = list(Parquet().batches(piece(stream), table.schema, Findings()))
    read = pa.Table.from_batches(batches)
    assert read["n"].to_numpy().tolist() == list(range(len(read)))
    assert len(batches) <= 2 + len(read) // 60_000


def test_a_large_file_is_not_read_ahead_of_its_rows():
    table = pa.table({"x": np.random.default_rng(0).random(1_000_000)})
    stream = Watched()
    pq.write_table(table, stream, row_group_size=100_000)
    batches = Parquet().batches(piece(stream), table.schema, Findings())
    next(batches)
    assert stream.taken < 0.3 * len(stream.getvalue())
