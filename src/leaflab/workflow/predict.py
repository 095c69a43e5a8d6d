"""`leaflab predict`: scores a table with a registered model, on all cores and in bounded memory."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.errors import ModelError
from leaflab.identity import fold
from leaflab.serve.answers import answer_schema
from leaflab.serve.parts import Parts
from leaflab.serve.sink import checked_output
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric, Tag, typed
from leaflab.workflow.evidence import asked_version
from leaflab.workflow.scoring import Work, asked_input, checked_columns

if TYPE_CHECKING:
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


def predict(lab: Lab) -> Predicted:
    """Scores `input` (a file, folder, pattern, URL or lake table; else the source) into `output`, or into the lake.

    A scoring of local files or lake tables that was interrupted goes on where it stood when it is asked for again.

    Raises:
        ConfigError: no input, or an output that cannot be written.
        ModelError: there is no such model.
        DataError: the input lacks a column, or holds a value that the model cannot read.
    """
    target = checked_output(lab.output) if lab.output else None
    version = standing_version(lab, lab.predict.alias, lab.predict.version)
    asked = asked_input(lab)
    scorer = lab.tracking.registry.scorer(version)
    checked_columns(scorer, asked.reading.schema, asked.name)
    key = fold({"model": version.model_uri, "input": asked.identity, "output": str(target)})
    parts = Parts(lab.folder / "predict" / key, answer_schema(scorer), _PART_ROWS)
    if parts.rows:
        _log.info("%s rows were scored before the interruption; going on from there.", f"{parts.rows:,}")
    getattr(scorer.predictor, "boosters", None)  # loads LightGBM, which is no part of the time of scoring
    started = time.perf_counter()
    tags = {"leaflab.version": str(version.number), "leaflab.model": version.run_id, "leaflab.input": asked.name}
    run_key = "" if asked.identity is None else f"predict {parts.key}"
    with lab.tracking.start(RunSpec(lab.name, "predict", f"predict with {version}", key=run_key, tags=tags)) as run:
        work = Work(lab, scorer, version, asked, parts, run.id)
        rows = work.into(target)
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
        hint = f"run `{typed('promote', lab.name)}` first"
        raise ModelError(f"'{lab.name}'", "has no champion yet", hint=hint)
    return asked_version(lab, alias, number)
