"""`leaflab collect` end to end, on a real lake."""

from __future__ import annotations

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leaflab.errors import LakeError, SourceError
from leaflab.identity import digest
from leaflab.lake import care
from leaflab.lake.delta import Delta
from leaflab.source.file import File
from leaflab.source.media import Images
from leaflab.source.sql import Sql
from leaflab.tracking.memory import Memory
from leaflab.values import Roles
from leaflab.workflow.collect import collect
from leaflab.workflow.lab import Lab
from leaflab.workflow.settings import Collect


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    """Makes a Lab of one folder: `lab("a.csv", mode="append")`."""
    tracking = Memory()

    def make(path: str, verb: str = "collect", **settings: Any) -> Lab:
        rooms: Any = dict.fromkeys(
            ["prepare", "split", "model", "search", "executor", "metric", "gate", "evaluate", "promote", "predict"]
        )
        return Lab(
            name="exp",
            seed=0,
            home=tmp_path,
            dataset=Roles(name="t"),
            source=File(path=str(tmp_path / path)),
            lake=Delta(path=str(tmp_path / "lake")),
            tracking=tracking,
            collect=Collect(**settings),
            verb=verb,
            **rooms,
        )

    return make


def test_a_file_becomes_a_raw_table_with_its_lineage(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n2,y\n1,2,3\n")
    made = lab("a.csv")
    raw = collect(made)
    assert (raw.name, raw.version, raw.rows, raw.quarantined) == ("t", 0, 2, 1)
    assert raw.table.to_pydict() == {"n": [1, 2], "s": ["x", "y"]}
    assert raw.digest == digest(raw.table).table
    meta = made.lake.current("raw/t").meta
    assert meta["uri"] == str(tmp_path / "a.csv")
    assert (meta["quarantined"], meta["schema"]) == (1, {"n": "int64", "s": "string"})
    assert "@" in meta["who"]
    assert str(raw) == f"raw/t version 0: 2 rows, 1 lines in quarantine/t, digest {raw.digest}"


def test_bad_lines_are_in_the_quarantine_once(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n2,y\n1,2,3\n")
    lake = lab("a.csv").lake
    collect(lab("a.csv"))
    collect(lab("a.csv"))
    assert lake.read("quarantine/t").to_pylist() == [
        {
            "source": str(tmp_path / "a.csv"),
            "line": 4,
            "rule": "unreadable",
            "reason": "3 fields where the header has 2",
            "raw": "1,2,3",
        }
    ]
    assert [version.meta["uri"] for version in lake.versions("quarantine/t")] == [str(tmp_path / "a.csv")]


def test_the_same_rows_are_the_same_version_and_run(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n2,y\n")
    made = lab("a.csv")
    assert collect(made).version == collect(made).version == 0
    assert len(made.tracking.search("exp", {"leaflab.verb": "collect"})) == 1
    (tmp_path / "a.csv").write_text("n,s\n1,x\n2,z\n")
    assert collect(made).version == 1
    assert len(made.tracking.search("exp", {"leaflab.verb": "collect"})) == 2


def test_the_run_tells_what_came_in(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n2,y\n1,2,3\n")
    made = lab("a.csv")
    raw = collect(made)
    run = made.tracking.search("exp")[0]
    assert run.name == "collect t"
    assert {k: v for k, v in run.metrics.items() if k.startswith("rows/")} == {
        "rows/in": 3,
        "rows/out": 2,
        "rows/quarantined": 1,
        "rows/table": 2,
    }
    assert run.inputs[0]["digest"] == raw.digest
    assert run.inputs[0]["source"] == "lake/raw/t@0"


def test_under_another_verb_no_run_is_made(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n")
    made = lab("a.csv", verb="run")
    collect(made)
    assert made.tracking.search("exp") == []


def test_a_late_surprise_is_read_again_and_lands_once(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaflab.source.blocks.blocks.__kwdefaults__", {"quotes": True, "size": 64})
    (tmp_path / "a.csv").write_text("n\n" + "\n".join(map(str, range(100))) + "\n1,2\nlate\n")
    raw = collect(lab("a.csv"))
    assert (raw.rows, raw.quarantined, raw.version) == (101, 1, 0)
    assert raw.table.column("n").to_pylist()[-1] == "late"
    assert len(list((tmp_path / "lake/raw/t").glob("*.parquet"))) == 1


def test_append(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n")
    (tmp_path / "b.csv").write_text("n,s,more\n2,y,5\n")
    collect(lab("a.csv"))
    with pytest.raises(LakeError, match=r"has no column 'more'"):
        collect(lab("b.csv", mode="append"))
    raw = collect(lab("b.csv", mode="append", on_new_columns="add"))
    assert raw.rows == 2
    assert raw.digest == digest(raw.table).table
    assert raw.table.to_pylist() == [{"n": 1, "s": "x", "more": None}, {"n": 2, "s": "y", "more": 5}]


def test_two_sources_with_one_name_and_other_columns_are_refused(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n")
    (tmp_path / "b.csv").write_text("n,other\n2,y\n")
    before = collect(lab("a.csv"))
    with pytest.raises(SourceError, match=r"'raw/t' was collected from .*a.csv with other columns .* \('other', 's'\)"):
        collect(lab("b.csv"))
    assert lab("a.csv").lake.current("raw/t").version == before.version
    assert collect(lab("b.csv", on_new_columns="add")).version == 1


def test_a_source_may_change_its_own_columns(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n")
    collect(lab("a.csv"))
    (tmp_path / "a.csv").write_text("n,other\n1,x\n")
    assert collect(lab("a.csv")).version == 1


@pytest.mark.parametrize("data", [b"", b"n,s\n", b"PAR1....PAR1"])
def test_a_bad_source_leaves_previous_versions_untouched(lab: Any, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.csv").write_text("n,s\n1,x\n")
    collect(lab("a.csv"))
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(SourceError, match=r"a.csv"):
        collect(lab("a.csv"))
    assert len(lab("a.csv").lake.versions("raw/t")) == 1


def test_a_database_is_read_on_from_where_the_last_collect_ended(lab: Any, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE t (id INTEGER, s TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b")])
    source = Sql(url=f"sqlite:///{tmp_path}/shop.db", table="t", watermark="id")
    made = replace(lab("none", mode="append"), source=source)
    assert [collect(made).rows, collect(made).rows, collect(made).version] == [2, 2, 0]
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.executemany("INSERT INTO t VALUES (?, ?)", [(2, "tied"), (3, "c")])
    raw = collect(made)
    assert raw.table.to_pydict() == {"id": [1, 2, 2, 3], "s": ["a", "b", "tied", "c"]}
    assert raw.digest == digest(raw.table).table
    assert collect(made).version == raw.version == 1


def shop(folder: Path, *statements: str) -> str:
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        for statement in statements:
            database.execute(statement)
    return f"sqlite:///{folder}/shop.db"


def test_a_watermark_alone_reads_on(lab: Any, tmp_path: Path) -> None:
    url = shop(tmp_path, "CREATE TABLE t (id INTEGER, s TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    made = replace(lab("none"), source=Sql(url=url, table="t", watermark="id"))
    collect(made)
    shop(tmp_path, "UPDATE t SET s = 'changed' WHERE id = 1", "INSERT INTO t VALUES (3, NULL)")
    raw = collect(made)
    assert raw.table.to_pylist() == [{"id": 1, "s": "a"}, {"id": 2, "s": "b"}, {"id": 3, "s": None}]
    version = made.lake.current("raw/t")
    assert (version.meta["rows in"], version.mode, version.digest) == (1, "append", raw.digest)
    run = next(r for r in made.tracking.search("exp") if r.inputs[0]["source"] == "lake/raw/t@1")
    assert (run.metrics["rows/in"], run.metrics["rows/out"], run.metrics["rows/table"]) == (1, 1, 3)


def test_a_mark_ends_with_the_table_it_was_made_of(lab: Any, tmp_path: Path) -> None:
    url = shop(tmp_path, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2)")
    made = replace(lab("none"), source=Sql(url=url, table="t", watermark="id"))
    collect(made)
    care.compact(made.lake, "raw/t")
    shop(tmp_path, "INSERT INTO t VALUES (3)")
    assert collect(made).rows == 3
    (tmp_path / "a.csv").write_text("id\n7\n")
    collect(lab("a.csv"))
    shop(tmp_path, "INSERT INTO t VALUES (4)")
    assert collect(made).table.column("id").to_pylist() == [1, 2, 3, 4]


def test_two_tables_of_one_database_do_not_share_a_name(lab: Any, tmp_path: Path) -> None:
    url = shop(tmp_path, "CREATE TABLE t (id INTEGER)", "CREATE TABLE u (other TEXT)")
    shop(tmp_path, "INSERT INTO t VALUES (1)", "INSERT INTO u VALUES ('x')")
    collect(replace(lab("none"), source=Sql(url=url, table="t")))
    with pytest.raises(SourceError, match=r"'raw/t' was collected from .*shop.db#t with other columns"):
        collect(replace(lab("none"), source=Sql(url=url, table="u")))


def test_a_table_is_divided_and_stays_so(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,site\n1,b\n2,a\n3,b\n")
    raw = collect(lab("a.csv", partition_by="site"))
    assert sorted(p.name for p in (tmp_path / "lake/raw/t").glob("site=*")) == ["site=a", "site=b"]
    assert raw.table.to_pydict() == {"n": [2, 1, 3], "site": ["a", "b", "b"]}
    assert raw.digest == digest(raw.table).table
    assert collect(lab("a.csv", partition_by=["site"])).version == collect(lab("a.csv")).version == 0
    (tmp_path / "a.csv").write_text("n,site\n4,a\n")
    raw = collect(lab("a.csv", mode="append"))
    assert (raw.table.column("n").to_pylist(), raw.digest) == ([2, 4, 1, 3], digest(raw.table).table)
    with pytest.raises(LakeError, match=r"'raw/t' cannot be divided by 'nope'"):
        collect(lab("a.csv", partition_by="nope"))


def test_two_collects_at_once_bring_new_rows_once(lab: Any, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE t (id INTEGER)")
        database.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1000)])
    source = Sql(url=f"sqlite:///{tmp_path}/shop.db", table="t", watermark="id")
    made = replace(lab("none", verb="run", mode="append"), source=source)
    with ThreadPoolExecutor(4) as pool:
        found = [job.result().rows for job in [pool.submit(collect, made) for _ in range(4)]]
    assert found == [1000] * 4
    assert made.lake.read("raw/t").column("id").to_pylist() == list(range(1000))


def test_an_earlier_version_is_used_as_it_was(lab: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    first = collect(lab("a.csv"))
    (tmp_path / "a.csv").write_text("n\n2\n")
    collect(lab("a.csv"))
    made = lab("a.csv")
    raw = collect(replace(made, lake=replace(made.lake, version=0)))
    assert (raw.version, raw.digest, raw.table.to_pydict()) == (0, first.digest, {"n": [1]})
    assert len(made.lake.versions("raw/t")) == 2


def test_media_are_kept_once_and_indexed(lab: Any, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed", exc_type=ImportError)
    for name, shade in (("cat/a.png", 10), ("cat/b.png", 10), ("dog/c.png", 200)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        image.new("L", (8, 6), shade).save(tmp_path / "in" / name)
    (tmp_path / "in" / "dog" / "d.png").write_bytes(b"broken")
    source = Images(path=str(tmp_path / "in"), cache=str(tmp_path / "cache"), features=["size", "colour"])
    made = replace(lab("none"), source=source)
    raw = collect(made)
    collect(made)
    assert (raw.rows, raw.quarantined) == (3, 1)
    assert made.lake.read("quarantine/t").column("raw").to_pylist() == ["dog/d.png"]
    index = made.lake.read("media/index").to_pylist()
    assert [(i["path"], i["label"], i["width"], i["height"]) for i in index] == [
        ("cat/a.png", "cat", 8, 6), ("cat/b.png", "cat", 8, 6), ("dog/c.png", "dog", 8, 6)
    ]  # fmt: skip
    kept = [p for p in (tmp_path / "lake" / "media").iterdir() if p.is_file()]
    assert {p.name for p in kept} == {i["digest"] for i in index}
    assert len(kept) == 2
    assert all(hashlib.sha256(p.read_bytes()).hexdigest() == p.name for p in kept)
