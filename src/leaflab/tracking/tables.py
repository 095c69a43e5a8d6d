"""Reading runs straight from MLflow's tables: thousands at once, and without importing MLflow."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leaflab.tracking.base import Record
from leaflab.tracking.schema import connected

__all__ = ["one", "some"]

_RUN = (
    "SELECT r.run_uuid, e.name, r.name, r.status, r.start_time, r.end_time"
    " FROM runs r JOIN experiments e USING (experiment_id)"
)
_CHUNK = 500


def one(file: Path, run_id: str) -> Record | None:
    """One run; None where there is none."""
    connection = connected(file)
    try:
        rows = connection.execute(f"{_RUN} WHERE r.run_uuid = ?", (run_id,)).fetchall()
        return next(iter(_records(connection, rows)), None)
    finally:
        connection.close()


def some(file: Path, experiment: str | None, tags: Mapping[str, str], limit: int) -> list[Record]:
    """Runs of active experiments that carry all these tags, newest first."""
    query = f"{_RUN} WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'"
    values: list[Any] = []
    if experiment is not None:
        query += " AND e.name = ?"
        values.append(experiment)
    for key, value in tags.items():
        query += " AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = r.run_uuid AND t.key = ? AND t.value = ?)"
        values += [key, value]
    connection = connected(file)
    try:
        rows = connection.execute(
            f"{query} ORDER BY r.start_time DESC, r.run_uuid LIMIT ?", (*values, limit)
        ).fetchall()
        return _records(connection, rows)
    finally:
        connection.close()


def _records(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
    made = []
    for start in range(0, len(rows), _CHUNK):
        piece = rows[start : start + _CHUNK]
        ids = [row[0] for row in piece]
        tags = _pairs(connection, "SELECT run_uuid, key, value FROM tags", ids)
        params = _pairs(connection, "SELECT run_uuid, key, value FROM params", ids)
        metrics = _pairs(
            connection, "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics", ids
        )
        inputs = _inputs(connection, ids)
        made += [
            Record(
                run_id,
                experiment,
                name or "",
                status,
                started / 1000,
                ended / 1000 if ended and status != "RUNNING" else None,
                tags[run_id],
                params[run_id],
                {k: float("nan") if v is None else v for k, v in metrics[run_id].items()},
                tuple(inputs[run_id]),
            )
            for run_id, experiment, name, status, started, ended in piece
        ]
    return made


def _pairs(connection: sqlite3.Connection, query: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for run_id, key, value in connection.execute(f"{query} WHERE run_uuid IN ({_marks(ids)})", ids):
        found[run_id][key] = value
    return found


def _inputs(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    query = (
        "SELECT i.destination_id, d.name, d.digest, t.value, d.dataset_source, d.dataset_schema"
        " FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id"
        " LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'"
        f" WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN ({_marks(ids)})"
        " ORDER BY i.rowid"
    )
    for run_id, name, digest, context, source, schema in connection.execute(query, ids):
        found[run_id].append(
            {"name": name, "digest": digest, "context": context or "", "source": source, "schema": schema or ""}
        )
    return found


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
