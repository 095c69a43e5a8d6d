"""The tables of MLflow's database that are written directly, and how to tell whether a store has exactly these."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["COLUMNS", "REVISIONS", "connected", "is_known"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "experiments": ("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time",
                    "last_update_time", "workspace"),
    "experiment_tags": ("key", "value", "experiment_id"),
    "runs": ("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time",
             "end_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id", "deleted_time"),
    "tags": ("key", "value", "run_uuid"),
    "params": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "run_uuid", "step", "is_nan"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "datasets": ("dataset_uuid", "experiment_id", "name", "digest", "dataset_source_type", "dataset_source",
                 "dataset_schema", "dataset_profile"),
    "inputs": ("input_uuid", "source_type", "source_id", "destination_type", "destination_id", "step"),
    "input_tags": ("input_uuid", "name", "value"),
    "logged_models": ("model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms",
                      "last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id",
                      "status_message"),
    "logged_model_metrics": ("model_id", "metric_name", "metric_timestamp_ms", "metric_step", "metric_value",
                             "experiment_id", "run_id", "dataset_uuid", "dataset_name", "dataset_digest"),
    "logged_model_params": ("model_id", "experiment_id", "param_key", "param_value"),
    "logged_model_tags": ("model_id", "experiment_id", "tag_key", "tag_value"),
}  # fmt: skip
_REGISTRY: dict[str, tuple[str, ...]] = {
    "registered_models": ("name", "creation_time", "last_updated_time", "description", "workspace"),
    "model_versions": ("name", "version", "creation_time", "last_updated_time", "description", "user_id",
                       "current_stage", "source", "run_id", "status", "status_message", "run_link",
                       "storage_location", "workspace"),
    "model_version_tags": ("key", "value", "name", "version", "workspace"),
    "registered_model_aliases": ("alias", "version", "name", "workspace"),
}  # fmt: skip
REVISIONS = frozenset({"dc11669786a5"})  # MLflow 3.17
_BUSY_S = 60.0


def connected(file: Path) -> sqlite3.Connection:
    """A connection that waits its turn and leaves fsync to checkpoints."""
    connection = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def is_known(file: Path) -> bool:
    """Whether a store's tables are, column by column, those this module writes."""
    if not file.exists():
        return False
    connection = connected(file)
    try:
        revisions = {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
        if len(revisions) != 1 or not revisions <= REVISIONS:
            return False
        return all(
            {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} == set(columns)
            for table, columns in (COLUMNS | _REGISTRY).items()
        )
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()
