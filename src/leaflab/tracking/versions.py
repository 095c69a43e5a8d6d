"""Registering straight in MLflow's tables: a model's version and its alias, without importing MLflow."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from leaflab.errors import ModelError
from leaflab.tracking.writer import version_tags
from leaflab.values import Version

__all__ = ["challenge", "newest"]


def challenge(connection: sqlite3.Connection, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
    """Makes a version of the newest model of a run, once, and the challenger of it, unless it is the champion.

    The caller holds the transaction: version, tags and alias appear together.

    Raises:
        ModelError: the run has no model.
    """
    found = newest(connection, run_id)
    if found is None:
        raise ModelError(f"Run {run_id}", "has no model to register")
    model_id, location = found
    query = "SELECT version FROM model_versions WHERE name = ? AND source = ?"
    known = connection.execute(query, (name, f"models:/{model_id}")).fetchone()
    if known is None:
        shown = dict(connection.execute(_METRICS, (model_id,)))
        tags = {**{key: f"{value:.6g}" for key, value in shown.items()}, **tags}
        number = _made(connection, name, (f"models:/{model_id}", run_id, location))
    else:
        number = int(known[0])
    connection.executemany(_TAG, [(key, value, name, number) for key, value in version_tags(tags).items()])
    query = "SELECT 1 FROM registered_model_aliases WHERE name = ? AND version = ? AND alias = 'champion'"
    if connection.execute(query, (name, number)).fetchone() is None:
        connection.execute(_ALIAS, (name, number))
    return _version(connection, name, number)


def newest(connection: sqlite3.Connection, run_id: str) -> tuple[str, str] | None:
    """Id and place of the model a run made last, of those that are complete and not deleted."""
    found: tuple[str, str] | None = connection.execute(_NEWEST, (run_id,)).fetchone()
    return found


_NEWEST = (
    "SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = ? AND status = 2"
    " AND lifecycle_stage = 'active' ORDER BY creation_timestamp_ms DESC, model_id DESC LIMIT 1"
)
_METRICS = (
    "SELECT metric_name, metric_value FROM logged_model_metrics WHERE model_id = ?"
    " ORDER BY metric_timestamp_ms, metric_step"
)
_TAG = (
    "INSERT INTO model_version_tags (key, value, name, version) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value"
)
_ALIAS = (
    "INSERT INTO registered_model_aliases (name, alias, version) VALUES (?, 'challenger', ?)"
    " ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version"
)


def _made(connection: sqlite3.Connection, name: str, place: tuple[str, str, str]) -> int:
    """The number of a new version; the registered model is made where it does not exist."""
    now = int(time.time() * 1000)
    connection.execute(
        "INSERT INTO registered_models (name, creation_time, last_updated_time) VALUES (?, ?, ?)"
        " ON CONFLICT (workspace, name) DO UPDATE SET last_updated_time = excluded.last_updated_time",
        (name, now, now),
    )
    query = "SELECT COALESCE(MAX(version), 0) + 1 FROM model_versions WHERE name = ?"
    number = int(connection.execute(query, (name,)).fetchone()[0])
    connection.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage, source, run_id,"
        " storage_location, status) VALUES (?, ?, ?, ?, 'None', ?, ?, ?, 'READY')",
        (name, number, now, now, *place),
    )
    return number


def _version(connection: sqlite3.Connection, name: str, number: int) -> Version:
    key = (name, number)
    query = "SELECT run_id, source, creation_time FROM model_versions WHERE name = ? AND version = ?"
    run_id, source, created = connection.execute(query, key).fetchone()
    aliases = connection.execute(
        "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ? ORDER BY alias", key
    )
    tags = connection.execute("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", key)
    return Version(name, number, run_id, source, tuple(row[0] for row in aliases), dict(tags), created / 1000)
