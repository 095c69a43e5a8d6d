"""A table or query of a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Reread, Source
from leaflab.source.folding import batch_of, type_of
from leaflab.source.format import as_text, wider
from leaflab.source.watermark import Watermark

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import URL, Connection

__all__ = ["Sql"]

_DRIVERS = {"psycopg": "postgres", "psycopg2": "postgres"}


@option
class Sql(Source):
    """Rows of a database, in chunks, inside one transaction that is rolled back.

    With a watermark column a later collect of the same table or query brings the rows that are new since then, each
    once, also where several share a watermark; rows without a watermark count as new until they are collected.

    Exact decimals become floats; cast them to text in the query to keep every digit.

    Args:
        url: any SQLAlchemy URL (`sqlite:///shop.db`, `postgresql+psycopg://user@host/db`).
        table: a table or view, with its schema where needed (`sales.orders`).
        query: a query instead.
        watermark: a column that never shrinks for new rows (an id, a time of insertion).
        chunk: rows drawn at a time.
        options: further options of the driver (`connect_args` of SQLAlchemy).
    """

    url: str | None = None
    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    chunk: Annotated[int, Field(ge=1)] = 50_000
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def default_name(self) -> str | None:
        return self.table.rpartition(".")[2] if self.table else None

    def read(self) -> Reading:
        return _Rows(self, Watermark()).read()

    def after(self, mark: Any) -> Source:
        ours = self.watermark is not None and isinstance(mark, dict) and mark.get("of") == _Rows(self, Watermark()).of
        return _Rows(self, Watermark.from_json(mark)) if ours else self


class _Rows(Source):
    """The rows of a database after a mark."""

    def __init__(self, sql: Sql, since: Watermark) -> None:
        self._sql, self._since = sql, since

    @property
    def default_name(self) -> str | None:
        return self._sql.default_name

    def read(self) -> Reading:
        import pyarrow as pa

        sql = self._sql
        if not sql.url:
            raise ConfigError("`source.url`", "is not set", hint="name a database, as in source.url=sqlite:///shop.db")
        if (sql.table is None) == (sql.query is None):
            rule = "is not set" if sql.table is None else "excludes `source.query`"
            raise ConfigError("`source.table`", rule, hint="give either a table or a query")
        with closing(self._chunks()) as chunks:
            first = next(chunks, None)
        if first is not None:
            return self._reading(_types(first), whole=False)
        if self._since.value is None:
            raise SourceError(self._what, "gave no rows")
        return Reading(pa.schema([]), iter(()), self._source, mark=self._since.to_json)

    def _reading(self, types: Mapping[str, pa.DataType], *, whole: bool) -> Reading:
        import pyarrow as pa

        schema, seen = as_text(pa.schema(list(types.items()))), Watermark(self._since.value)
        reading = Reading(schema, self._batches(schema, seen, whole=whole), self._source)
        if self._sql.watermark is None:
            return reading
        return replace(reading, mark=lambda: {**seen.to_json(), "of": self.of})

    def _batches(self, schema: pa.Schema, seen: Watermark, *, whole: bool) -> Iterator[pa.RecordBatch]:
        column, known = self._sql.watermark, Watermark(self._since.value, self._since.rows.copy())
        for rows in self._chunks():
            try:
                seen.see(rows, column)
            except TypeError as error:
                raise SourceError(
                    "`source.watermark`", "must have values of one kind", got=column, hint="choose another column"
                ) from error
            fresh = known.fresh(rows, column)
            try:
                batch = batch_of(fresh, schema)
            except ValueError as error:
                if whole:
                    raise SourceError(self._what, f"changed while it was read ({error})") from error
                raise Reread(self._reading(self._survey(), whole=True)) from error
            if fresh:
                yield batch

    def _survey(self) -> dict[str, pa.DataType]:
        found: dict[str, pa.DataType] = {}
        for rows in self._chunks():
            for name, kind in _types(rows).items():
                found[name] = wider(found.get(name, kind), kind)
        return found

    def _chunks(self) -> Generator[list[dict[str, Any]]]:
        """Rows of the query in chunks, none of them empty."""
        import sqlalchemy as sa

        with self._connected() as connection:
            text, values = self._statement(connection)
            with closing(connection.execution_options(stream_results=True).execute(sa.text(text), values)) as result:
                names = _unique(list(result.keys()))
                if self._sql.watermark and self._sql.watermark not in names:
                    raise SourceError("`source.watermark`", "names no column of the result", got=self._sql.watermark)
                for part in result.partitions(self._sql.chunk):
                    yield [dict(zip(names, map(_plain, row), strict=True)) for row in part]

    def _statement(self, connection: Connection) -> tuple[str, dict[str, Any]]:
        quote, sql = connection.dialect.identifier_preparer.quote, self._sql
        if sql.table:
            text = f"SELECT * FROM {'.'.join(map(quote, sql.table.split('.')))}"
        else:
            text = str(sql.query).strip().rstrip(";").replace(":", "\\:")
        if self._since.value is None or not sql.watermark:
            return text, {}
        column = quote(sql.watermark)
        where = f"{column} >= :mark OR {column} IS NULL"
        return f"SELECT * FROM (\n{text}\n) AS rows_ WHERE {where}", {"mark": self._since.value}

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection that is closed, and whose transaction is rolled back, at the end of the block."""
        import sqlalchemy as sa
        from sqlalchemy import exc

        address = _address(str(self._sql.url))
        try:
            engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args=self._sql.options)
        except ModuleNotFoundError as error:
            if error.name in _DRIVERS:
                raise ExtraError("source=sql for PostgreSQL", _DRIVERS[error.name]) from error
            raise SourceError("`source.url`", f"needs the package {error.name}, which is not installed") from error
        try:
            with engine.connect() as connection:
                yield connection
        except (exc.SQLAlchemyError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
            raise SourceError(self._what, f"cannot be read ({_without(reason, address.password)})") from error

    @property
    def _what(self) -> str:
        asked = f"table '{self._sql.table}'" if self._sql.table else "the query"
        return f"{asked} of '{self._uri}'"

    @property
    def _source(self) -> str:
        return f"{self._uri}#{self._sql.table or ' '.join(str(self._sql.query).split())}"

    @property
    def of(self) -> str:
        """What a mark is a mark of."""
        return f"{self._source} by {self._sql.watermark}"

    @property
    def _uri(self) -> str:
        return _address(str(self._sql.url)).set(password=None, query={}).render_as_string()


def _address(url: str) -> URL:
    """The parts of a database URL.

    Raises:
        SourceError: it is none, or its SQLite file does not exist (connecting would make an empty one).
    """
    import sqlalchemy as sa

    try:
        address = sa.make_url(url)
        backend = address.get_backend_name()
        address.get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise SourceError("`source.url`", "names no known kind of database", hint="as in sqlite:///a.db") from error
    except ModuleNotFoundError:
        return address
    if backend == "sqlite" and not _exists(address.database):
        raise SourceError(f"'{address.database}'", "does not exist", hint=f"it was looked for in {Path.cwd()}")
    return address


def _types(rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.DataType]:
    return {name: type_of(row[name] for row in rows) for name in rows[0]}


def _plain(value: Any) -> Any:
    """A driver's value as one of Python's plain ones."""
    import decimal
    import uuid

    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID | dt.time | dt.timedelta):
        return str(value)
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


def _unique(names: Sequence[str]) -> list[str]:
    """Column names, each once: a join may give two columns one name."""
    out: list[str] = []
    for name in names:
        twins = [name, *(f"{name}_{n}" for n in range(2, len(names) + 2))]
        out.append(next(twin for twin in twins if twin not in out))
    return out


def _exists(database: str | None) -> bool:
    return not database or database == ":memory:" or database.startswith("file:") or Path(database).exists()


def _without(text: str, secret: Any) -> str:
    return text.replace(str(secret), "…") if secret else text
