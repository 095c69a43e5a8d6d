"""What `leaflab predict` reads, and how its answers get into a file or the lake."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, DataError
from leaflab.executor.dask import Dask
from leaflab.serve.answers import answer_schema, id_columns
from leaflab.serve.progress import watched
from leaflab.serve.scoring import pieces, scored
from leaflab.serve.sink import write_file
from leaflab.source.base import Reading
from leaflab.source.file import File
from leaflab.workflow.spreading import spread

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.serve.parts import Parts
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab

__all__ = ["Input", "Work", "asked_input", "checked_columns"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Input:
    """What is scored: its name for people, its reading, and what identifies its content (None: nothing does)."""

    name: str
    reading: Reading
    identity: Any = None
    rows: int | None = None


def asked_input(lab: Lab) -> Input:
    """`input` as a file, folder, pattern, URL or lake table (`raw/flights@3`); else the source.

    Raises:
        ConfigError: nothing is named.
    """
    if lab.input is None:
        if isinstance(lab.source, File) and not lab.source.path:
            raise ConfigError("`input`", "is not set", hint="name a table to score, as in input=new.csv")
        reading = lab.source.read()
        return Input(reading.uri, reading)
    path = Path(lab.input).expanduser()
    if not path.exists() and (found := re.fullmatch(r"([\w][\w .-]*(?:/[\w][\w .-]*)+?)(?:@(\d+))?", lab.input)):
        name, number = found[1], int(found[2]) if found[2] else None
        current = lab.lake.current(name)
        if current is not None:
            number = current.version if number is None else number
            stream = lab.lake.stream(name, number)
            return Input(lab.input, Reading(stream.schema, iter(stream), f"lake/{name}@{number}"), [name, number])
    return Input(lab.input, File(path=lab.input).read(), _identity(path))


def _identity(path: Path) -> Any:
    """Names, sizes and times of local files; None for what is no local file or folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    return [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()] or None


def checked_columns(scorer: Scorer, schema: pa.Schema, name: str) -> None:
    """Warns where the id columns are missing.

    Raises:
        DataError: the input lacks columns; they are named.
    """
    absent = [c.name for c in scorer.columns if c.required and c.name not in schema.names]
    if absent:
        raise DataError(f"'{name}'", f"lacks the column{'s' if len(absent) > 1 else ''} {', '.join(map(repr, absent))}")
    ids = list(scorer.meta.get("id") or ())
    if ids and not id_columns(scorer, schema.names):
        _log.warning("'%s' lacks the id columns %s: row_id is made from each row's content.", name, ", ".join(ids))


@dataclass
class Work:
    """One scoring, on its way into a file or the lake."""

    lab: Lab
    scorer: Scorer
    version: Version
    asked: Input
    parts: Parts
    run_id: str
    drawn: bool = False

    @property
    def where(self) -> str:
        return self.lab.output or f"lake table prediction/{self.lab.name}"

    def into(self, target: Path | None) -> int:
        """Writes the answers, whole; returns the number of rows."""
        rows, _ = self.asked.reading.into(lambda reading: self._written(target, reading))
        return rows

    def _written(self, target: Path | None, reading: Reading) -> int:
        if self.drawn:
            self.parts.drop()  # what was kept was read under other types
        self.drawn = True
        answers = watched(self._answers(reading), self.asked.rows)
        if target is not None:
            return write_file(target, answer_schema(self.scorer), answers)
        return self._into_lake(answers)

    def _answers(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        name, executor = self.asked.name, self.lab.executor
        wanted = pieces(reading.batches, self.parts.rows)
        if isinstance(executor, Dask):
            answers = spread(executor, self.scorer, wanted, name)
        else:
            answers = scored(self.scorer, wanted, name)
        yield from answers if self.asked.identity is None else self.parts.kept(answers)
        if reading.bad:
            first = reading.bad[0]
            rule = f"has {len(reading.bad)} unreadable lines, the first is line {first.line} ({first.reason})"
            raise DataError(f"'{name}'", rule)

    def _into_lake(self, answers: Iterator[pa.RecordBatch]) -> int:
        import pyarrow as pa

        kinds = {"version": pa.int64(), "run_id": pa.string(), "time": pa.timestamp("us", "UTC")}
        facts = pa.schema([pa.field(name, kind) for name, kind in kinds.items()])
        wide = pa.unify_schemas([answer_schema(self.scorer), facts])
        known = (self.version.number, self.run_id, datetime.now(UTC))
        rows = 0

        def noted() -> Iterator[pa.RecordBatch]:
            nonlocal rows
            for batch in answers:
                rows += batch.num_rows
                columns = [pa.repeat(pa.scalar(v, f.type), batch.num_rows) for v, f in zip(known, facts, strict=True)]
                yield pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=wide)

        stream = pa.RecordBatchReader.from_batches(wide, noted())
        self.lab.lake.write(f"prediction/{self.lab.name}", stream, mode="append", new_columns="add")
        return rows
