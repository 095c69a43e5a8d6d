"""`leaflab predict`: scores a table with a registered model, on all cores and in bounded memory."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, DataError, ModelError
from leaflab.identity import fold
from leaflab.serve.answers import answer_schema, id_columns
from leaflab.serve.cores import rest_when_idle
from leaflab.serve.parts import Parts
from leaflab.serve.progress import watched
from leaflab.serve.scoring import scored
from leaflab.serve.sink import checked_output, write_file
from leaflab.source.base import Reading
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric, Tag
from leaflab.workflow.evidence import asked_version

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab

__all__ = ["Predicted", "predict", "standing_version"]

_PART_ROWS = 1 << 19

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Predicted:
    """What a scoring left behind.

    Args:
        version: the model that answered.
        rows: rows scored.
        where: the file or the lake table that holds the answers.
        seconds: wall-clock seconds.
        run_id: the predict run.
    """

    version: Version
    rows: int
    where: str
    seconds: float
    run_id: str
    exit_code: int = 0

    @property
    def headline(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.version} scored {self.rows:,} rows in {self.seconds:.2f} s: {self.where}"


@dataclass(frozen=True)
class _Input:
    """What is scored: its name for people, its reading, and what identifies its content (None: nothing does)."""

    name: str
    reading: Reading
    identity: Any = None
    rows: int | None = None


def predict(lab: Lab) -> Predicted:
    """Scores `input` (a file, folder, pattern, URL or lake table; else the source) into `output`, or into the lake.

    A scoring of local files or lake tables that was interrupted goes on where it stood when it is asked for again.

    Raises:
        ConfigError: no input, or an output that cannot be written.
        ModelError: there is no such model.
        DataError: the input lacks a column, or holds a value that the model cannot read.
    """
    rest_when_idle()
    target = checked_output(lab.output) if lab.output else None
    version = standing_version(lab, lab.predict.alias, lab.predict.version)
    asked = _asked(lab)
    scorer = lab.tracking.registry.scorer(version)
    _check_columns(scorer, asked.reading.schema, asked.name)
    key = fold({"model": version.model_uri, "input": asked.identity, "output": str(target)})
    parts = Parts(lab.folder / "predict" / key, answer_schema(scorer), _PART_ROWS)
    if parts.rows:
        _log.info("%s rows were scored before the interruption; going on from there.", f"{parts.rows:,}")
    getattr(scorer.predictor, "boosters", None)  # loads LightGBM, which is no part of the time of scoring
    started = time.perf_counter()
    tags = {"leaflab.version": str(version.number), "leaflab.model": version.run_id, "leaflab.input": asked.name}
    run_key = "" if asked.identity is None else f"predict {parts.key}"
    with lab.tracking.start(RunSpec(lab.name, "predict", f"predict with {version}", key=run_key, tags=tags)) as run:
        work = _Work(lab, scorer, version, asked, parts, run.id)
        rows, _ = asked.reading.into(lambda reading: work.into(target, reading))
        seconds = time.perf_counter() - started
        run.log(
            [Metric("rows/scored", rows), Metric("time/predict_seconds", seconds), Tag("leaflab.output", work.where)]
        )
    parts.drop()
    return Predicted(version, rows, work.where, seconds, run.id)


def standing_version(lab: Lab, alias: str, number: int | None) -> Version:
    """The version asked for.

    Raises:
        ModelError: there is none; the sentence names the command that makes it.
    """
    registry = lab.tracking.registry
    waiting = number is None and alias == "champion" and registry.version(lab.name, alias=alias) is None
    if waiting and registry.versions(lab.name):
        hint = f"run `leaflab promote name={lab.name}` first"
        raise ModelError(f"'{lab.name}'", "has no champion yet", hint=hint)
    return asked_version(lab, alias, number)


def _asked(lab: Lab) -> _Input:
    from leaflab.source.file import File

    if lab.input is None:
        if isinstance(lab.source, File) and not lab.source.path:
            raise ConfigError("`input`", "is not set", hint="name a table to score, as in input=new.csv")
        reading = lab.source.read()
        return _Input(reading.uri, reading)
    path = Path(lab.input).expanduser()
    if not path.exists() and (found := re.fullmatch(r"([\w][\w .-]*(?:/[\w][\w .-]*)+?)(?:@(\d+))?", lab.input)):
        name, number = found[1], int(found[2]) if found[2] else None
        current = lab.lake.current(name)
        if current is not None:
            number = current.version if number is None else number
            stream = lab.lake.stream(name, number)
            return _Input(lab.input, Reading(stream.schema, iter(stream), f"lake/{name}@{number}"), [name, number])
    return _Input(lab.input, File(path=lab.input).read(), _identity(path))


def _identity(path: Path) -> Any:
    """Names, sizes and times of local files; None for what is no local file or folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    return [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()] or None


def _check_columns(scorer: Scorer, schema: pa.Schema, name: str) -> None:
    absent = [c.name for c in scorer.columns if c.required and c.name not in schema.names]
    if absent:
        raise DataError(f"'{name}'", f"lacks the column{'s' if len(absent) > 1 else ''} {', '.join(map(repr, absent))}")
    ids = list(scorer.meta.get("id") or ())
    if ids and not id_columns(scorer, schema.names):
        _log.warning("'%s' lacks the id columns %s: row_id is made from each row's content.", name, ", ".join(ids))


@dataclass
class _Work:
    """One scoring, on its way into a file or the lake."""

    lab: Lab
    scorer: Scorer
    version: Version
    asked: _Input
    parts: Parts
    run_id: str
    drawn: bool = False

    @property
    def where(self) -> str:
        return self.lab.output or f"lake table prediction/{self.lab.name}"

    def into(self, target: Path | None, reading: Reading) -> int:
        """Writes the answers to a reading, whole; returns the number of rows."""
        if self.drawn:
            self.parts.drop()  # what was kept was read under other types
        self.drawn = True
        answers = watched(self._answers(reading), self.asked.rows)
        if target is not None:
            return write_file(target, answer_schema(self.scorer), answers)
        return self._into_lake(answers)

    def _answers(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        name = self.asked.name
        answers = scored(self.scorer, reading.batches, name, skip=self.parts.rows)
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
