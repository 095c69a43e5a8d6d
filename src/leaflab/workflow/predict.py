"""`leaflab predict`: scores a table with a registered model, in bounded memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError, ModelError
from leaflab.serve.answers import answer_schema, answered, id_columns
from leaflab.serve.sink import checked_output, write_file
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric, Tag
from leaflab.workflow.evidence import asked_version

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.source.base import Reading
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab

__all__ = ["Predicted", "predict", "standing_version"]

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
        return f"{self.version} scored {self.rows:,} rows in {self.seconds:.1f} s: {self.where}"


def predict(lab: Lab) -> Predicted:
    """Scores `input` into `output`, or into the lake table `prediction/NAME` where no output is named.

    Raises:
        ConfigError: no input, or an output that cannot be written.
        ModelError: there is no such model.
        DataError: the input lacks a column, or holds a value that the model cannot read.
    """
    from leaflab.source.file import File

    if not lab.input:
        raise ConfigError("`input`", "is not set", hint="name a table to score, as in input=new.csv")
    target = checked_output(lab.output) if lab.output else None
    version = standing_version(lab, lab.predict.alias, lab.predict.version)
    scorer = lab.tracking.registry.scorer(version)
    reading = File(path=lab.input).read()
    _check_columns(scorer, reading.schema, lab.input)
    started = time.perf_counter()
    spec = RunSpec(lab.name, "predict", f"predict with {version}", tags={"leaflab.version": str(version.number)})
    with lab.tracking.start(spec) as run:
        run.log([Tag("leaflab.model", version.run_id), Tag("leaflab.input", lab.input)])
        rows, _ = reading.into(lambda used: _scored(lab, scorer, used, version, run.id))
        seconds = time.perf_counter() - started
        run.log([Metric("rows/scored", rows), Metric("time/predict_seconds", seconds)])
    return Predicted(version, rows, str(target or f"lake table prediction/{lab.name}"), seconds, run.id)


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


def _check_columns(scorer: Scorer, schema: pa.Schema, name: str) -> None:
    absent = [c.name for c in scorer.columns if c.required and c.name not in schema.names]
    if absent:
        raise DataError(f"'{name}'", f"lacks the column{'s' if len(absent) > 1 else ''} {', '.join(map(repr, absent))}")
    ids = list(scorer.meta.get("id") or ())
    if ids and not id_columns(scorer, schema.names):
        _log.warning("'%s' lacks the id columns %s: row_id is made from each row's content.", name, ", ".join(ids))


def _scored(lab: Lab, scorer: Scorer, reading: Reading, version: Version, run_id: str) -> int:
    schema, batches = answer_schema(scorer), _answers(scorer, reading, lab.input or "")
    if lab.output:
        return write_file(checked_output(lab.output), schema, batches)
    import pyarrow as pa

    kinds = {"version": pa.int64(), "run_id": pa.string(), "time": pa.timestamp("us", "UTC")}
    facts = pa.schema([pa.field(name, kind) for name, kind in kinds.items()])
    wide = pa.unify_schemas([schema, facts])
    rows = 0

    def noted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            known = (version.number, run_id, datetime.now(UTC))
            columns = [pa.repeat(pa.scalar(v, f.type), batch.num_rows) for v, f in zip(known, facts, strict=True)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=wide)

    stream = pa.RecordBatchReader.from_batches(wide, noted())
    lab.lake.write(f"prediction/{lab.name}", stream, mode="append", new_columns="add")
    return rows


def _answers(scorer: Scorer, reading: Reading, name: str) -> Iterator[pa.RecordBatch]:
    """Answers batch by batch; a row is named by its place in the whole input."""
    from leaflab.scorer import BadTable

    before = 0
    for batch in reading.batches:
        try:
            yield answered(scorer, batch)
        except BadTable as error:
            at = "" if error.row is None else f", row {before + error.row + 1}"
            raise DataError(f"'{name}'{at}:", error.rule) from error
        before += batch.num_rows
    if reading.bad:
        first = reading.bad[0]
        rule = f"has {len(reading.bad)} unreadable lines, the first is line {first.line} ({first.reason})"
        raise DataError(f"'{name}'", rule)
