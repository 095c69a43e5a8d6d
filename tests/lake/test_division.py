"""Tables divided by columns: folders, order, digest, time travel, and what cannot be divided."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leaflab.errors import LakeError
from leaflab.identity import digest
from leaflab.lake import care
from leaflab.lake.delta import Delta

SITES = pa.table(
    {"n": [1, 2, 3, 4, 5], "site": ["b", None, "a/ %ä", "b", "a/ %ä"], "on": [True, None, None, True, None]}
)
ORDERED = SITES.take([2, 4, 0, 3, 1])


@pytest.fixture
def lake(tmp_path: Path) -> Delta:
    return Delta(path=str(tmp_path / "lake"), partition_by=["site"])


def folders(lake: Delta) -> list[str]:
    return sorted(p.name for p in Path(lake.path, "raw/t").iterdir() if p.is_dir() and p.name != "_delta_log")


def test_a_folder_a_value_and_the_rows_part_by_part(lake: Delta) -> None:
    version = lake.write("raw/t", SITES)
    assert folders(lake) == ["site=__HIVE_DEFAULT_PARTITION__", "site=a%2F%20%25%C3%A4", "site=b"]
    assert lake.read("raw/t").equals(ORDERED)
    assert version.digest == digest(ORDERED).table
    assert version.rows == 5
    assert lake.stream("raw/t", columns=["n"]).read_all().column("n").to_pylist() == [3, 5, 1, 4, 2]
    assert lake.read("raw/t", columns=["site"]).equals(ORDERED.select(["site"]))


def test_the_digest_depends_on_the_rows_and_not_on_how_they_came(lake: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lake.write("raw/t", SITES)
    monkeypatch.setattr("leaflab.lake.staging._BUFFER", 1)
    one_by_one = pa.RecordBatchReader.from_batches(SITES.schema, SITES.to_batches(max_chunksize=1))
    assert lake.write("raw/t", one_by_one) == first
    assert lake.write("raw/other", one_by_one.from_batches(SITES.schema, SITES.to_batches(max_chunksize=2))).digest == (
        first.digest
    )


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([2, 10, 2], "int16"), ["2", "10"]),
        (pa.array([True, False, True]), ["false", "true"]),
        (pa.array([dt.date(2024, 1, 2), dt.date(2023, 1, 2), None]), ["2023-01-02", "2024-01-02", None]),
        (
            pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 6)] * 3, pa.timestamp("us", "UTC")),
            ["2024-01-02%2003%3A04%3A05.000006"],
        ),
    ],
    ids=str,
)
def test_types_that_divide(lake: Delta, values: pa.Array, names: list[Any]) -> None:
    table = pa.table({"site": values, "n": [1, 2, 3]})
    lake.write("raw/t", table)
    assert lake.read("raw/t").equals(table.sort_by("site"))
    assert folders(lake) == sorted(f"site={'__HIVE_DEFAULT_PARTITION__' if n is None else n}" for n in names)


def test_any_delta_reader_opens_it(lake: Delta) -> None:
    from deltalake import DeltaTable

    lake.write("raw/t", SITES)
    table = DeltaTable(Path(lake.path, "raw/t"))
    assert table.metadata().partition_columns == ["site"]
    assert table.to_pyarrow_table().sort_by("n").select(SITES.column_names).equals(SITES)
    assert table.to_pyarrow_table(filters=[("site", "=", "b")]).num_rows == 2


def test_appended_rows_join_their_parts(lake: Delta) -> None:
    lake.write("raw/t", SITES)
    plain = Delta(path=lake.path)
    version = plain.write("raw/t", pa.table({"n": [6], "site": ["b"], "new": ["x"]}), mode="append", new_columns="add")
    rows = plain.read("raw/t").to_pylist()
    assert [(r["n"], r["new"]) for r in rows] == [(3, None), (5, None), (1, None), (4, None), (6, "x"), (2, None)]
    assert version.rows == 6
    assert plain.read("raw/t", 0).equals(ORDERED)
    assert Delta(path=lake.path, version=0).read("raw/t").equals(ORDERED)


def test_an_overwrite_keeps_or_changes_what_a_table_is_divided_by(lake: Delta) -> None:
    lake.write("raw/t", SITES)
    plain = Delta(path=lake.path)
    assert plain.write("raw/t", SITES).version == 0
    assert plain.write("raw/t", SITES.slice(1)).version == 1
    assert plain.store.division("raw/t") == ("site",)
    both = Delta(path=lake.path, partition_by=["site", "on"])
    assert both.write("raw/t", SITES).version == 2
    assert both.read("raw/t").equals(ORDERED)
    undivided = Delta(path=lake.path, partition_by=[])
    assert undivided.write("raw/t", ORDERED).version == 3
    assert undivided.read("raw/t").equals(ORDERED)
    assert plain.read("raw/t", 0).equals(ORDERED)
    assert [v.rows for v in plain.versions("raw/t")] == [5, 4, 5, 5]


def test_only_raw_tables_are_divided(lake: Delta) -> None:
    lake.write("dataset/t/train", SITES)
    assert lake.read("dataset/t/train").equals(SITES)


@pytest.mark.parametrize(
    ("columns", "table", "words"),
    [
        (["nope"], SITES, "'raw/t' cannot be divided by 'nope': its columns are n, site, on"),
        (["x"], pa.table({"x": [0.5], "n": [1]}), "'raw/t' cannot be divided by 'x': double is no text"),
        (["x"], pa.table({"x": ["a"]}), "'raw/t' cannot be divided by all its columns"),
        (["x"], pa.table({"x": ["a", ""], "n": [1, 2]}), "column 'x' holds an empty text"),
        (["x"], pa.table({"x": range(3000), "n": range(3000)}), "column 'x' would divide the table into 3,000 parts"),
    ],
)
def test_what_cannot_be_divided_is_one_sentence(lake: Delta, columns: list[str], table: pa.Table, words: str) -> None:
    with pytest.raises(LakeError, match=words):
        Delta(path=lake.path, partition_by=columns).write("raw/t", table)
    assert not Path(lake.path, "raw").exists()


def test_an_append_does_not_divide_anew(lake: Delta) -> None:
    lake.write("raw/t", SITES)
    with pytest.raises(LakeError, match=r"'raw/t' is divided by 'site', got \['on'\]: only an overwrite changes that"):
        Delta(path=lake.path, partition_by=["on"]).write("raw/t", SITES, mode="append")
    with pytest.raises(LakeError, match=r"'raw/t' cannot be divided by 'site'"):
        Delta(path=lake.path).write("raw/t", SITES.drop_columns(["site"]))
    assert len(lake.versions("raw/t")) == 1


def test_compacting_and_tidying_up(lake: Delta) -> None:
    for start in range(3):
        lake.write("raw/t", SITES.slice(start), mode="append")
    before = lake.read("raw/t")
    assert care.crowded(lake, "raw/t") == 8
    assert care.compact(lake, "raw/t").rows == 12
    assert lake.read("raw/t").equals(before)
    assert care.crowded(lake, "raw/t") == 3
    assert care.waste(lake, "raw/t", days=0, history=False) == []
    left = Path(lake.path, "raw/t", "site=b", "left.parquet")
    left.write_bytes(b"half")
    assert [each.path for each in care.waste(lake, "raw/t", days=0, history=False)] == ["site=b/left.parquet"]
    old = care.waste(lake, "raw/t", days=0, history=True)
    assert len(old) == 9
    care.vacuum(lake, "raw/t", old)
    assert lake.read("raw/t").equals(before)


def test_a_write_that_fails_halfway_leaves_nothing(lake: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaflab.lake.staging._BUFFER", 1)
    lake.write("raw/t", SITES)

    def broken() -> Any:
        yield from SITES.slice(1).to_batches()
        raise OSError("gone")

    with pytest.raises(LakeError, match="gone"):
        lake.write("raw/t", pa.RecordBatchReader.from_batches(SITES.schema, broken()))
    assert lake.read("raw/t").equals(ORDERED)
    assert len(list(Path(lake.path, "raw/t").rglob("*.parquet"))) == 3
