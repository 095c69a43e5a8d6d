"""`leaflab lake` shows and tidies the lake."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from leaflab.app import main
from leaflab.lake.delta import Delta


@pytest.fixture
def lake(home: Path) -> Delta:
    lake = Delta(path=str(home / "lake"))
    lake.write("raw/t", pa.table({"a": [1]}), meta={"uri": "t.csv"})
    lake.write("raw/t", pa.table({"a": [2]}), mode="append")
    return lake


def test_an_empty_lake_says_how_to_fill_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lake"]) == 0
    assert capsys.readouterr().out == "The lake is empty: `leaflab collect source.path=FILE` fills it.\n"
    assert not (home / "lake").exists()


def test_tables_and_versions(lake: Delta, capsys: pytest.CaptureFixture[str]) -> None:
    lake.write("dataset/t/train", pa.table({"a": [1]}))
    assert main(["lake"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["table", "version", "rows", "size", "digest", "written", "source"]
    assert [row.split()[:3] for row in rows] == [["dataset/t/train", "0", "1"], ["raw/t", "1", "2"]]
    assert main(["lake", "versions", "raw/t", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["rows"], second["rows"], first["meta"]) == (1, 2, {"uri": "t.csv"})
    assert first["digest"] == lake.versions("raw/t")[0].digest


def test_compact_and_vacuum_say_first_what_they_would_do(lake: Delta, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lake", "compact", "raw/t", "--dry-run"]) == 0
    assert main(["lake", "compact", "raw/t"]) == 0
    assert main(["lake", "compact", "raw/t"]) == 0
    (Path(lake.path) / "raw/t/left.parquet").write_bytes(b"half")
    assert main(["lake", "vacuum", "--days", "0", "--dry-run"]) == 0
    assert main(["lake", "vacuum", "raw/t", "--days", "0"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "raw/t: 2 files",
        "raw/t: 2 files became 1 in version 2",
        "raw/t: 1 files, nothing to do",
        "raw/t/left.parquet  4 B  no version names it",
        "raw/t: 1 files, 4 B would go",
        "raw/t/left.parquet  4 B  no version names it",
        "raw/t: 1 files, 4 B went",
    ]
    assert lake.read("raw/t").num_rows == 2


def test_a_table_that_is_not_there(lake: Delta, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lake", "versions", "raw/x"]) == 2
    assert main(["lake", "compact", "raw/x"]) == 2
    assert "leaflab: 'raw/x' is not in the lake" in capsys.readouterr().err
