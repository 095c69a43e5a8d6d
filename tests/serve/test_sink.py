"""Where answers go: a file that is whole or absent."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from leaflab.serve.sink import write_file

SCHEMA = pa.schema([("row_id", pa.string()), ("prediction", pa.int64())])


def batches(count, rows=3):
    for i in range(count):
        yield pa.record_batch([[f"{i}-{k}" for k in range(rows)], [i] * rows], schema=SCHEMA)


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_stays(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = tmp_path / f".out[1].csv.{killed.pid}.partial"
    alive, other = tmp_path / f".out[1].csv.{os.getppid()}.partial", tmp_path / f".else.csv.{killed.pid}.partial"
    for file in (left, alive, other):
        file.write_text("half")
    assert write_file(tmp_path / "out[1].csv", SCHEMA, batches(1)) == 3
    assert not left.exists() and alive.exists() and other.exists()


def test_small_batches_make_large_row_groups(tmp_path):
    assert write_file(tmp_path / "out.parquet", SCHEMA, batches(5)) == 15
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert file.num_row_groups == 1
    assert file.read()["prediction"].to_pylist() == [i for i in range(5) for _ in range(3)]
