"""The lake gives back what was written, whole versions only."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from leaflab.errors import LakeError
from leaflab.identity import digest
from leaflab.lake.delta import Delta
from leaflab.lake.growing import Growing

MEANT = {"uri": "here", "mark": 3, "repeated": 1}
TABLE = pa.table({"a": [1, None, 3], "price (€), [net]": ["x", "", None]})


@pytest.fixture
def lake(tmp_path: Path) -> Delta:
    return Delta(path=str(tmp_path / "lake"))


def test_an_empty_lake_is_empty(lake: Delta) -> None:
    assert lake.tables() == []
    assert lake.versions("raw/t") == []
    assert lake.current("raw/t") is None
    assert not Path(lake.path).exists()


def test_what_was_written_is_read(lake: Delta) -> None:
    version = lake.write("raw/t", TABLE, meta={"uri": "t.csv"})
    assert (version.version, version.rows, version.digest) == (0, 3, digest(TABLE).table)
    assert lake.read("raw/t").equals(TABLE)
    assert lake.read("raw/t", columns=["a"]).column_names == ["a"]
    assert lake.versions("raw/t") == [version]
    assert lake.current("raw/t") == version
    assert version.meta == {"uri": "t.csv"}
    assert abs(version.written - time.time()) < 60
    assert version.size > 0


def test_names_have_folders(lake: Delta) -> None:
    for name in ("raw/t", "dataset/t/train", "dataset/t/test", "quarantine/t"):
        lake.write(name, TABLE)
    assert lake.tables() == ["dataset/t/test", "dataset/t/train", "quarantine/t", "raw/t"]


@pytest.mark.parametrize("name", ["../t", "raw/../t", "/t", "raw//t", "", "raw/t/"])
def test_a_name_stays_inside_the_lake(lake: Delta, name: str) -> None:
    with pytest.raises(LakeError, match=r"is no table name"):
        lake.write(name, TABLE)


def test_the_same_content_makes_no_new_version(lake: Delta) -> None:
    first = lake.write("raw/t", TABLE)
    again = lake.write("raw/t", TABLE.cast(pa.schema([("a", pa.int32()), (TABLE.column_names[1], pa.large_string())])))
    assert again == first
    assert lake.write("raw/t", TABLE, digest=first.digest) == first
    assert len(list(Path(lake.path, "raw/t").glob("*.parquet"))) == 1


def test_older_versions_stay_readable(lake: Delta) -> None:
    lake.write("raw/t", TABLE)
    other = pa.table({"a": ["now text"], "b": [1.5]})
    lake.write("raw/t", other)
    assert lake.read("raw/t").equals(other)
    assert lake.read("raw/t", 0).equals(TABLE)
    assert [v.rows for v in lake.versions("raw/t")] == [3, 1]


@pytest.mark.parametrize("cut", [0, 100])
def test_a_file_that_was_cut_off_is_one_sentence(lake: Delta, cut: int) -> None:
    lake.write("raw/t", TABLE)
    for file in Path(lake.path, "raw/t").glob("*.parquet"):
        os.truncate(file, cut)
    with pytest.raises(LakeError, match=r"'raw/t' in '.*' cannot be read \(.*Parquet"):
        lake.read("raw/t")
    with pytest.raises(LakeError, match=r"'raw/t' in '.*' cannot be read \(.*Parquet"):
        lake.stream("raw/t").read_all()


def test_what_is_not_there_is_named(lake: Delta) -> None:
    with pytest.raises(LakeError, match=r"'raw/t' is not in the lake .*: run `leaflab lake`"):
        lake.read("raw/t")
    lake.write("raw/t", TABLE)
    with pytest.raises(LakeError, match=r"'raw/t' has no such version, got 7: it has 0 to 0"):
        lake.read("raw/t", 7)


def test_rows_come_back_in_the_order_they_were_written(lake: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaflab.lake.staging._ROWS_A_FILE", 10)
    table = pa.table({"a": list(range(95))})
    lake.write("raw/t", pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=7)))
    assert len(list(Path(lake.path, "raw/t").glob("*.parquet"))) > 5
    assert lake.read("raw/t").column("a").to_pylist() == list(range(95))
    lake.write("raw/t", pa.table({"a": [95]}), mode="append")
    assert lake.read("raw/t").column("a").to_pylist() == list(range(96))


def test_an_append_adds_rows(lake: Delta) -> None:
    lake.write("raw/t", TABLE)
    version = lake.write("raw/t", TABLE.select([1, 0]).slice(0, 1), mode="append")
    assert (version.rows, version.digest) == (4, "")
    assert lake.read("raw/t").column("a").to_pylist() == [1, None, 3, 1]


def test_an_append_refuses_new_columns_unless_they_may_be_added(lake: Delta) -> None:
    lake.write("raw/t", pa.table({"a": [1], "b": ["x"]}))
    more = pa.table({"a": [2], "new": [2.5]})
    with pytest.raises(LakeError, match=r"'raw/t' has no column 'new': set collect.on_new_columns=add"):
        lake.write("raw/t", more, mode="append")
    lake.write("raw/t", more, mode="append", new_columns="add")
    assert lake.read("raw/t").to_pylist() == [{"a": 1, "b": "x", "new": None}, {"a": 2, "b": None, "new": 2.5}]


def test_an_append_refuses_another_type(lake: Delta) -> None:
    lake.write("raw/t", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match=r"column 'a' is double and 'raw/t' keeps it as int64"):
        lake.write("raw/t", pa.table({"a": [0.5]}), mode="append")
    with pytest.raises(LakeError, match=r"column 'a' is text where the table has int64"):
        lake.write("raw/t", pa.table({"a": [None, "7"]}), mode="append")
    assert lake.read("raw/t").to_pylist() == [{"a": 1}]


def test_a_column_without_any_value_fits_every_type(lake: Delta) -> None:
    lake.write("raw/t", pa.table({"a": [1], "b": [True]}))
    lake.write("raw/t", pa.table({"a": pa.nulls(1), "b": pa.nulls(1, pa.string())}), mode="append")
    assert lake.read("raw/t").to_pylist() == [{"a": 1, "b": True}, {"a": None, "b": None}]


def test_the_digest_of_an_appended_version_is_computed_once(lake: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write("raw/t", TABLE)
    version = lake.write("raw/t", TABLE, mode="append")
    assert version.digest == ""
    found = lake.digest(version)
    assert found == digest(lake.read("raw/t")).table
    assert [v.digest for v in lake.versions("raw/t")] == [digest(TABLE).table, found]
    monkeypatch.setattr(Delta, "stream", None)
    assert lake.digest(lake.current("raw/t")) == found


def test_a_growing_digest_is_in_every_version_and_reads_no_row_again(
    lake: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing, more = Growing(), pa.table({"a": [7], "new": [0.5]})
    lake.write("raw/t", TABLE, mode="append", digest=growing)
    monkeypatch.setattr(Delta, "stream", None)
    lake.write("raw/t", TABLE, mode="append", digest=growing)
    lake.write("raw/t", more, mode="append", digest=growing, meta=MEANT, new_columns="add")
    monkeypatch.undo()
    known = lake.versions("raw/t")
    assert [v.digest for v in known] == [digest(lake.read("raw/t", v.version)).table for v in known]
    assert [v.rows for v in known] == [3, 6, 6, 7]
    assert (known[2].meta["uri"], known[2].meta["columns added"], known[2].meta["rows in"]) == ("here", ["new"], 0)
    assert set(known[2].meta) == {"uri", "columns added", "rows in", "quarantined"}
    assert known[3].meta == MEANT


def test_a_growing_digest_takes_in_what_another_writer_added(lake: Delta) -> None:
    growing = Growing()
    lake.write("raw/t", TABLE, mode="append", digest=growing)
    lake.write("raw/t", pa.table({"a": [4]}), mode="append")
    version = lake.write("raw/t", TABLE, mode="append", digest=growing)
    assert version.digest == digest(lake.read("raw/t")).table


def test_a_growing_digest_that_another_writer_overtakes_is_left_out(lake: Delta) -> None:
    growing = Growing()
    lake.write("raw/t", TABLE, mode="append", digest=growing)

    def overtaken() -> Iterator[pa.RecordBatch]:
        Delta(path=lake.path).write("raw/t", pa.table({"a": [4]}), mode="append")
        yield from TABLE.to_batches()

    stream = pa.RecordBatchReader.from_batches(TABLE.schema, overtaken())
    assert lake.write("raw/t", stream, mode="append", digest=growing).digest == ""
    version = lake.write("raw/t", TABLE, mode="append", digest=growing)
    assert version.digest == digest(lake.read("raw/t")).table
    assert lake.read("raw/t").num_rows == 3 + 1 + 3 + 3


def test_rows_that_a_clock_set_back_puts_first_get_no_digest_of_the_order_they_came_in(
    lake: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing()
    lake.write("raw/t", TABLE, mode="append", digest=growing)
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    version = lake.write("raw/t", pa.table({"a": [4]}), mode="append", digest=growing)
    assert version.digest == ""
    assert lake.digest(version) == digest(lake.read("raw/t")).table
    version = lake.write("raw/t", pa.table({"a": [5]}), mode="append", digest=growing)
    assert version.digest in ("", digest(lake.read("raw/t")).table)


def test_an_append_that_fails_halfway_adds_no_column(lake: Delta) -> None:
    lake.write("raw/t", TABLE)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from pa.table({"new": [1]}).to_batches()
        raise OSError("the source broke off")

    stream = pa.RecordBatchReader.from_batches(pa.schema([("new", pa.int64())]), broken())
    with pytest.raises(LakeError, match=r"broke off"):
        lake.write("raw/t", stream, mode="append", new_columns="add")
    assert len(lake.versions("raw/t")) == 1


TYPES = pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", None, "a"]).dictionary_encode(),
        pa.array([1, None], "uint8"),
        pa.array([1, None], "uint64"),
        pa.array([1.5, None], "float16"),
        pa.array([None, None]),
        pa.array([0, None], pa.timestamp("ns", "Europe/Paris")),
        pa.array([0, None], pa.timestamp("s")),
        pa.array([dt.date(2020, 1, 1)], pa.date64()),
        pa.array([b"ab", None], pa.binary(2)),
        pa.array([[1], None], pa.large_list(pa.int8())),
        pa.array([{"a": 1}, None]),
        pa.array([{"a": dt.datetime(2020, 1, 1)}, None]),
    ],
)


@TYPES
def test_types_survive_without_loss(lake: Delta, array: pa.Array) -> None:
    table = pa.table({"c": array})
    version = lake.write("raw/t", table)
    read = lake.read("raw/t")
    assert digest(read).table == version.digest
    assert [str(v) for v in read.column("c").to_pylist()] == [str(v) for v in array.to_pylist()] or "Paris" in str(
        array.type
    )


@TYPES
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_column_may_come_later_whatever_its_type(lake: Delta, mode: Any, array: pa.Array) -> None:
    """A time without zone needs what a Delta table does not have from the start."""
    lake.write("raw/t", TABLE)
    later = pa.table({"a": pa.nulls(len(array), pa.int64()), TABLE.column_names[1]: pa.nulls(len(array)), "c": array})
    for rows in (later, TABLE.select(["a"]), later):
        version = lake.write("raw/t", rows, mode=mode, new_columns="add")
        assert lake.current("raw/t") == version
    found = lake.read("raw/t")
    assert digest(found.slice(found.num_rows - len(array))).table == digest(later).table
    assert lake.read("raw/t", 0).equals(TABLE)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([2**64 - 1], "uint64"),
        pa.array([1], pa.timestamp("ns")),
        pa.array([1], pa.duration("s")),
        pa.array([1], pa.time32("s")),
    ],
)
def test_what_cannot_survive_is_refused_by_name(lake: Delta, array: pa.Array) -> None:
    lake.write("raw/t", TABLE)
    with pytest.raises(LakeError, match=r"column 'odd one'"):
        lake.write("raw/t", pa.table({"fine": [1], "odd one": array}))
    assert lake.read("raw/t").equals(TABLE)
    assert len(list(Path(lake.path, "raw/t").glob("*.parquet"))) == 1


@pytest.mark.parametrize("column", ["a", "price of a flat"])
def test_a_name_that_stands_twice_is_refused(lake: Delta, column: str) -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=[column, column])
    with pytest.raises(LakeError, match=f"column '{column}' stands twice"):
        lake.write("raw/t", twice)


def test_names_that_differ_only_in_case_are_refused(lake: Delta) -> None:
    with pytest.raises(LakeError, match=r"column 'Price' differs from 'price' only in case"):
        lake.write("raw/t", pa.table({"price": [1], "Price": [2]}))
    assert lake.tables() == []


def test_a_source_that_fails_halfway_leaves_nothing(lake: Delta) -> None:
    lake.write("raw/t", TABLE)

    def broken() -> object:
        yield TABLE.to_batches()[0]
        raise RuntimeError("the cable was pulled")

    with pytest.raises(RuntimeError, match=r"cable"):
        lake.write("raw/t", pa.RecordBatchReader.from_batches(TABLE.schema, broken()))
    assert lake.read("raw/t").equals(TABLE)
    assert len(list(Path(lake.path, "raw/t").glob("*.parquet"))) == 1


def test_a_first_write_that_fails_leaves_no_folder(lake: Delta) -> None:
    with pytest.raises(LakeError):
        lake.write("dataset/t/train", pa.table({"n": pa.array([1], pa.timestamp("ns"))}))
    assert not list(Path(lake.path).iterdir())


def test_meta_may_be_known_only_when_all_rows_are_drawn(lake: Delta) -> None:
    seen: list[int] = []

    def batches() -> object:
        for batch in TABLE.to_batches(max_chunksize=1):
            seen.append(batch.num_rows)
            yield batch

    stream = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    assert lake.write("raw/t", stream, meta=lambda: {"batches": len(seen)}).meta == {"batches": 3}


def test_a_lake_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file in the way")
    with pytest.raises(LakeError, match=r"lake table 'raw/t' in '.*' cannot be written"):
        Delta(path=str(tmp_path / "lake")).write("raw/t", TABLE)


def test_any_delta_reader_opens_it(lake: Delta) -> None:
    lake.write("raw/t", TABLE)
    assert DeltaTable(f"{lake.path}/raw/t").to_pyarrow_table().equals(TABLE)


_WRITER = """
import sys, pyarrow as pa
from leaflab.lake.delta import Delta
from leaflab.lake.growing import Growing
lake, who, mode = Delta(path=sys.argv[1]), sys.argv[2], sys.argv[3]
for i in range(8):
    lake.write("raw/t", pa.table({"who": [f"{who}-{i}"]}), mode=mode)
"""


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_two_writers_at_once_both_land(lake: Delta, mode: str) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, lake.path, who, mode]) for who in "ab"]
    assert [w.wait(60) for w in writers] == [0, 0]
    versions = lake.versions("raw/t")
    assert len(versions) == 16
    if mode == "append":
        assert versions[-1].rows == 16
        assert sorted(lake.read("raw/t").column("who").to_pylist()) == sorted(
            f"{w}-{i}" for w in "ab" for i in range(8)
        )
    else:
        assert {lake.read("raw/t", v.version).num_rows for v in versions} == {1}


_RACER = """
import sys, time, pyarrow as pa
from leaflab.lake.delta import Delta
from leaflab.lake.growing import Growing
lake, who, start = Delta(path=sys.argv[1]), sys.argv[2], float(sys.argv[3])
for i in range(30):
    while time.time() < start + 0.2 * i:
        pass
    lake.write(f"raw/t{i}", pa.table({"who": [who]}), mode="append")
"""


def test_two_first_writes_at_the_same_moment_both_land(lake: Delta) -> None:
    start = str(time.time() + 3)
    racers = [subprocess.Popen([sys.executable, "-c", _RACER, lake.path, who, start]) for who in "ab"]
    assert [r.wait(60) for r in racers] == [0, 0]
    for i in range(30):
        assert sorted(lake.read(f"raw/t{i}").column("who").to_pylist()) == ["a", "b"]


_SLOW = """
import sys, time, pyarrow as pa
from leaflab.lake.delta import Delta
from leaflab.lake.growing import Growing
def batches():
    while True:
        yield pa.record_batch({"a": list(range(100000)), "b": [n % 3 for n in range(100000)]})
        print("wrote", flush=True)
columns = sys.argv[2:] or None
reader = pa.RecordBatchReader.from_batches(next(batches()).schema, batches())
Delta(path=sys.argv[1], partition_by=columns).write("raw/t", reader)
"""


@pytest.mark.parametrize("columns", [[], ["b"]])
def test_kill_nine_during_a_write_leaves_the_previous_version(lake: Delta, columns: list[str]) -> None:
    lake.write("raw/t", TABLE)
    writer = subprocess.Popen([sys.executable, "-c", _SLOW, lake.path, *columns], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(3):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    assert lake.read("raw/t").equals(TABLE)
    assert len(lake.versions("raw/t")) == 1
    assert lake.write("raw/t", TABLE.slice(1)).version == 1


@pytest.fixture
def small_disk(tmp_path: Path, small_disk_at: Callable[..., object]) -> Path:
    """A file system of one megabyte."""
    small_disk_at(tmp_path / "disk", "1m")
    return tmp_path / "disk"


@pytest.mark.parametrize("columns", [None, ["b"]])
def test_a_disk_without_room_is_one_sentence_and_nothing_half_written(
    small_disk: Path, columns: list[str] | None
) -> None:
    lake = Delta(path=str(small_disk), partition_by=columns)
    small = pa.table({"a": [1, 2], "b": [0, 1]})
    lake.write("raw/t", small)
    before = {p.relative_to(small_disk) for p in small_disk.rglob("*") if p.is_file()}
    big = pa.table({"a": range(1_000_000), "b": [n % 3 for n in range(1_000_000)]})
    for name in ("raw/t", "raw/new"):
        with pytest.raises(LakeError, match=rf"table '{name}' in .* cannot be written \(.*No space left on device"):
            lake.write(name, big)
    assert {p.relative_to(small_disk) for p in small_disk.rglob("*") if p.is_file()} == before
    assert lake.read("raw/t").equals(small)
    assert lake.write("raw/t", small.slice(1)).version == 1


def test_a_disk_that_takes_no_byte_keeps_no_empty_file(small_disk: Path) -> None:
    lake = Delta(path=str(small_disk / "lake"))
    with (small_disk / "filler").open("wb", 0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(LakeError, match="No space left on device"):
        lake.write("raw/t", TABLE)
    assert not list(small_disk.rglob("*.parquet"))


_FULL = """
import resource, signal, sys, pyarrow as pa
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from leaflab.errors import LakeError
from leaflab.lake.delta import Delta
import random
try:
    Delta(path=sys.argv[1]).write("raw/t", pa.table({"a": [random.random() for _ in range(200_000)]}))
except LakeError as error:
    print(error)
"""


def test_a_full_disk_is_one_sentence_and_leaves_the_previous_version(lake: Delta) -> None:
    lake.write("raw/t", TABLE)
    said = subprocess.check_output([sys.executable, "-c", _FULL, lake.path], text=True)
    assert said.startswith("lake table 'raw/t' in ") and "cannot be written" in said
    assert lake.read("raw/t").equals(TABLE)
    assert len(list(Path(lake.path, "raw/t").glob("*.parquet"))) == 1
