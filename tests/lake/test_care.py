"""Housekeeping removes what nobody needs and nothing else."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from leaflab.errors import LakeError
from leaflab.identity import digest
from leaflab.lake import care
from leaflab.lake.delta import Delta


@pytest.fixture
def lake(tmp_path: Path) -> Delta:
    lake = Delta(path=str(tmp_path / "lake"))
    lake.write("raw/t", pa.table({"a": [1]}))
    lake.write("raw/t", pa.table({"a": [2, 3]}), meta={"uri": "x"})
    for i in range(4, 8):
        lake.write("raw/t", pa.table({"a": [i]}), mode="append")
    return lake


def test_only_what_no_version_names_is_waste(lake: Delta) -> None:
    folder = Path(lake.path, "raw/t")
    assert care.waste(lake, "raw/t", days=0, history=False) == []
    (folder / "leftover.parquet").write_bytes(b"half a file")
    assert care.waste(lake, "raw/t", days=1, history=False) == []
    os.utime(folder / "leftover.parquet", (time.time() - 90_000,) * 2)
    found = care.waste(lake, "raw/t", days=1, history=False)
    assert [(w.path, w.size, w.why) for w in found] == [("leftover.parquet", 11, "no version names it")]
    care.vacuum(lake, "raw/t", found)
    assert not (folder / "leftover.parquet").exists()
    assert [lake.read("raw/t", v).num_rows for v in range(6)] == [1, 2, 3, 4, 5, 6]


def test_history_may_go_too(lake: Delta) -> None:
    found = care.waste(lake, "raw/t", days=0, history=True)
    assert [w.why for w in found] == ["only older versions hold it"]
    care.vacuum(lake, "raw/t", found)
    assert lake.read("raw/t").num_rows == 6
    with pytest.raises(LakeError, match=r"raw/t' in '.*' cannot be read"):
        lake.read("raw/t", 0)


def test_compacting_keeps_rows_order_and_lineage(lake: Delta) -> None:
    before = lake.read("raw/t")
    assert care.crowded(lake, "raw/t") == 5
    version = care.compact(lake, "raw/t")
    assert (version.version, version.rows, version.digest) == (6, 6, digest(before).table)
    assert care.crowded(lake, "raw/t") == 1
    assert lake.read("raw/t").equals(before)
    assert version.meta["compacted"] == 5
    assert lake.read("raw/t", 5).equals(before)


def test_a_commit_during_compaction_wins(lake: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    from leaflab.lake import staging

    true_stage = staging.stage

    def staged_late(*args):
        made = true_stage(*args)
        monkeypatch.setattr(staging, "stage", true_stage)
        Delta(path=lake.path).write("raw/t", pa.table({"a": [99]}), mode="append")
        return made

    monkeypatch.setattr(staging, "stage", staged_late)
    files = set(Path(lake.path, "raw/t").glob("*.parquet"))
    with pytest.raises(LakeError, match="cannot be compacted"):
        care.compact(lake, "raw/t")
    assert lake.read("raw/t").column("a").to_pylist() == [2, 3, 4, 5, 6, 7, 99]
    assert len(set(Path(lake.path, "raw/t").glob("*.parquet")) - files) == 1


def test_time_travel(lake: Delta) -> None:
    versions = lake.versions("raw/t")
    assert [v.rows for v in versions] == [1, 2, 3, 4, 5, 6]
    pinned = Delta(path=lake.path, version=1)
    assert pinned.pinned
    assert pinned.current("raw/t") == versions[1]
    assert pinned.read("raw/t").column("a").to_pylist() == [2, 3]
    assert pinned.read("raw/t", 0).column("a").to_pylist() == [1]
    at = Delta(path=lake.path, as_of=datetime.fromtimestamp(versions[3].written) + timedelta(milliseconds=1))
    assert at.current("raw/t").version >= 3
    with pytest.raises(LakeError, match=r"'raw/t' has no version that old, its first is of .*, got '2001-"):
        Delta(path=lake.path, as_of="2001-01-01").current("raw/t")
    with pytest.raises(LakeError, match=r"'raw/t' has only the versions 0 to 5, got '9'"):
        Delta(path=lake.path, version=9).read("raw/t")


def test_time_travel_is_for_raw_tables_only(lake: Delta) -> None:
    lake.write("dataset/t/train", pa.table({"a": [1]}))
    assert Delta(path=lake.path, version=5).current("dataset/t/train").version == 0


def test_writing_goes_on_from_the_newest_version(lake: Delta) -> None:
    pinned = Delta(path=lake.path, version=0)
    assert pinned.write("raw/t", pa.table({"a": [1]})).version == 6
