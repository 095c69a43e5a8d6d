"""Runs as rows of MLflow's tables, and the statements that put them there."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leaflab.identity import fold
from leaflab.tracking.batch import Batch, Point, StoredModel
from leaflab.tracking.schema import COLUMNS
from leaflab.tracking.writer import dataset_record, linked, model_params, model_tags

__all__ = ["Place", "Rows"]

_LARGEST = 1.7976931348623157e308
_READY = 2


class Place(NamedTuple):
    """Where a run lies."""

    run_id: str
    experiment_id: int
    artifacts: str


@dataclass
class Rows:
    """Rows by table, gathered from many runs and written in one transaction; writing them twice changes nothing."""

    made: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in COLUMNS})
    parts: list[tuple[Any, ...]] = field(default_factory=list)
    reopened: list[tuple[str, str, str]] = field(default_factory=list)
    ended: list[tuple[str, int, str]] = field(default_factory=list)

    def run(self, place: Place, name: str, started: int) -> None:
        self.made["runs"].append(
            (place.run_id, name, "UNKNOWN", "", "", "unknown", "RUNNING", started, None, "", "active",
             place.artifacts, place.experiment_id, None)
        )  # fmt: skip

    def tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.made["tags"] += [(key, value, run_id) for key, value in tags.items()]

    def add(self, place: Place, batch: Batch, models: Mapping[str, StoredModel]) -> None:
        """The params, tags, points and inputs of a run."""
        self.tags(place.run_id, batch.tags)
        self.made["params"] += [(key, value, place.run_id) for key, value in batch.params.items()]
        self.points(place, linked(batch, models))
        for item in batch.inputs:
            record = dataset_record(item)
            uid = fold({"experiment": place.experiment_id, "name": item.name, "digest": record["digest"]})
            self.made["datasets"].append(
                (uid, place.experiment_id, record["name"], record["digest"], record["source_type"], record["source"],
                 record["schema"], record["profile"])
            )  # fmt: skip
            edge = fold({"dataset": uid, "run": place.run_id})
            key = (place.experiment_id, record["name"], record["digest"])
            self.parts.append((edge, place.run_id, item.context, *key))

    def points(self, place: Place, points: Sequence[tuple[Point, str | None]]) -> None:
        """Metrics of a run and, where one belongs to a model, of that model."""
        latest: dict[str, tuple[Any, ...]] = {}
        for p, model_id in points:
            is_nan = math.isnan(p.value)
            value = 0.0 if is_nan else max(-_LARGEST, min(_LARGEST, p.value))
            self.made["metrics"].append((p.key, value, p.time, place.run_id, p.step, is_nan))
            if p.key not in latest or (p.step, p.time, value) > latest[p.key][:3]:
                latest[p.key] = (p.step, p.time, value, is_nan)
            if model_id:
                self.made["logged_model_metrics"].append(
                    (model_id, p.key, p.time, p.step, value, place.experiment_id, place.run_id, None, None, None)
                )
        self.made["latest_metrics"] += [
            (key, value, at, step, is_nan, place.run_id) for key, (step, at, value, is_nan) in latest.items()
        ]

    def model(self, place: Place, model: StoredModel, location: str, tags: Mapping[str, str]) -> None:
        """A LoggedModel and its link to its run."""
        model_id, now = f"m-{model.uid}", int(time.time() * 1000)
        self.made["logged_models"].append(
            (
                model_id,
                place.experiment_id,
                model.name,
                location,
                now,
                now,
                _READY,
                "active",
                "leaflab",
                place.run_id,
                None,
            )
        )
        facts = (model_params(model), model_tags(tags, model))
        for table, pairs in zip(("logged_model_params", "logged_model_tags"), facts, strict=True):
            self.made[table] += [(model_id, place.experiment_id, key, value) for key, value in pairs.items()]
        edge = fold({"run": place.run_id, "model": model_id})
        self.made["inputs"].append((edge, "RUN_OUTPUT", place.run_id, "MODEL_OUTPUT", model_id, 0))

    def write(self, connection: sqlite3.Connection) -> None:
        for table, rows in self.made.items():
            if rows:
                columns = COLUMNS[table]
                marks = ",".join("?" * len(columns))
                connection.executemany(
                    f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks}) ON CONFLICT {_conflict(table)}", rows
                )
        for edge, run_id, context, *key in self.parts:
            connection.execute(
                "INSERT INTO inputs SELECT ?, 'DATASET', dataset_uuid, 'RUN', ?, 0 FROM datasets"
                " WHERE experiment_id = ? AND name = ? AND digest = ? ON CONFLICT DO NOTHING",
                (edge, run_id, *key),
            )
            connection.execute(
                "INSERT INTO input_tags SELECT input_uuid, 'mlflow.data.context', ? FROM inputs WHERE input_uuid = ?"
                " ON CONFLICT DO NOTHING",
                (context, edge),
            )
        connection.executemany("UPDATE runs SET status = ?, name = ? WHERE run_uuid = ?", self.reopened)
        connection.executemany("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", self.ended)


def _conflict(table: str) -> str:
    """What a second writing does: tags and params take the new value, the latest metric the later one."""
    if table == "tags":
        return "(key, run_uuid) DO UPDATE SET value = excluded.value"
    if table == "params":
        return "(key, run_uuid) DO UPDATE SET value = excluded.value"
    if table == "latest_metrics":
        later = "(excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)"
        new = "value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan"
        return f"(key, run_uuid) DO UPDATE SET {new} WHERE {later}"
    return "DO NOTHING"
