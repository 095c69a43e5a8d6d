"""Which trials keep their models, and taking back the space of those that do not."""

from __future__ import annotations

import heapq
import logging
import math
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaflab.tracking.places import local_path
from leaflab.tracking.schema import connected

if TYPE_CHECKING:
    from leaflab.tracking.batch import Batch

__all__ = ["Keeper", "Models", "Spare", "orphans", "reclaim", "spares"]

Models = Literal["all", "top_k", "best"]
_log = logging.getLogger(__name__)
_YOUNG_S = 3600.0


@dataclass
class Keeper:
    """Decides, as trials of one sweep finish, whose model is worth writing.

    Args:
        models: "all" up to `all_up_to` trials and the best `top_k` from there on; "top_k" or "best" from the start.
        metric: the metric that ranks trials; "" keeps every model.
        minimize: whether less is better.
    """

    models: Models = "all"
    top_k: int = 10
    all_up_to: int = 1000
    metric: str = ""
    minimize: bool = True
    _seen: int = 0
    _best: list[float] = field(default_factory=list)

    @property
    def keep(self) -> int:
        return 1 if self.models == "best" else self.top_k

    @property
    def choosy(self) -> bool:
        """Whether some trial's model was, or may have to be, left out."""
        return bool(self.metric) and (self.models != "all" or self._seen > self.all_up_to)

    def wants(self, batch: Batch, state: str = "complete") -> bool:
        """Whether the model of this trial is to be written: it is, so far, among the best of those not pruned."""
        value = next((p.value for p in reversed(batch.points) if p.key == self.metric), None)
        self._seen += 1
        if self.models == "all" and self._seen == self.all_up_to + 1 and self.metric:
            _log.info("More than %s trials: from here on only models of the %s best so far are kept (tracking.models).",
                      f"{self.all_up_to:,}", self.keep)  # fmt: skip
        good = float("-inf") if value is None or math.isnan(value) else (-value if self.minimize else value)
        among = state != "pruned" and (len(self._best) < self.keep or good > self._best[0])
        if among:
            (heapq.heappush if len(self._best) < self.keep else heapq.heapreplace)(self._best, good)
        return among or not self.choosy


@dataclass(frozen=True)
class Spare:
    """A model that can go: its id ("" for a folder no record names), why, where its files lie, and bytes."""

    model_id: str
    why: str
    folder: Path
    size: int


def spares(file: Path, keep: int, parent: str | None = None) -> Iterator[Spare]:
    """Models of trials beyond the best `keep` of their sweep (all sweeps, or one); registered ones are never spare."""
    connection = connected(file)
    try:
        taken = {row[0] for row in connection.execute("SELECT source FROM model_versions")}
        for rows in _by_sweep(connection, parent).values():
            for model_id, location, _ in rows[keep:]:
                folder = local_path(location)
                if f"models:/{model_id}" not in taken and folder is not None:
                    yield Spare(model_id, f"beyond the {keep} best of its sweep", folder.parent, _size(folder.parent))
    finally:
        connection.close()


def orphans(file: Path) -> Iterator[Spare]:
    """Model folders that no record names, left by a process killed between files and rows; young ones are spared."""
    connection = connected(file)
    try:
        known = {
            row[0] for row in connection.execute("SELECT model_id FROM logged_models WHERE lifecycle_stage = 'active'")
        }
    finally:
        connection.close()
    for folder in sorted((file.parent / "mlartifacts").glob("*/models/m-*")):
        if folder.name not in known and time.time() - folder.stat().st_mtime > _YOUNG_S:
            yield Spare("", "named by no run", folder, _size(folder))


def reclaim(file: Path, found: Sequence[Spare]) -> int:
    """Removes models: their records are marked deleted, their files go; returns the bytes."""
    connection = connected(file)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE logged_models SET lifecycle_stage = 'deleted', last_updated_timestamp_ms = ? WHERE model_id = ?",
            [(int(time.time() * 1000), s.model_id) for s in found if s.model_id],
        )
        connection.executemany(
            "DELETE FROM inputs WHERE destination_type = 'MODEL_OUTPUT' AND destination_id = ?",
            [(s.model_id,) for s in found if s.model_id],
        )
        connection.execute("COMMIT")
    finally:
        connection.close()
    for spare in found:
        shutil.rmtree(spare.folder, ignore_errors=True)
    return sum(s.size for s in found)


def _by_sweep(connection: sqlite3.Connection, parent: str | None) -> dict[str, list[Any]]:
    """Sweep run to (model id, location, value) of its trials' models, the best first."""
    query = (
        "SELECT p.value, d.value, m.model_id, m.artifact_location, l.value FROM logged_models m"
        " JOIN tags v ON v.run_uuid = m.source_run_id AND v.key = 'leaflab.verb' AND v.value = 'trial'"
        " JOIN tags p ON p.run_uuid = m.source_run_id AND p.key = 'mlflow.parentRunId'"
        " JOIN tags k ON k.run_uuid = p.value AND k.key = 'leaflab.metric'"
        " JOIN tags d ON d.run_uuid = p.value AND d.key = 'leaflab.direction'"
        " LEFT JOIN tags s ON s.run_uuid = m.source_run_id AND s.key = 'leaflab.state'"
        " LEFT JOIN latest_metrics l ON l.run_uuid = m.source_run_id AND l.key = k.value AND NOT l.is_nan"
        "  AND COALESCE(s.value, '') <> 'pruned'"
        " WHERE m.lifecycle_stage = 'active'"
    )
    groups: dict[str, list[Any]] = defaultdict(list)
    for sweep, direction, model_id, location, value in connection.execute(query):
        if parent in (None, sweep):
            good = float("inf") if value is None else value if direction == "minimize" else -value
            groups[sweep].append((model_id, location, good))
    return {sweep: sorted(rows, key=lambda row: row[2]) for sweep, rows in groups.items()}


def _size(folder: Path) -> int:
    """Bytes that removing a folder frees: files shared with other models by hard links are not counted."""
    files = (p.stat() for p in folder.rglob("*") if p.is_file())
    return sum(f.st_size for f in files if f.st_nlink == 1)
