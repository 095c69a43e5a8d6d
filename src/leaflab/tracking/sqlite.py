"""Writing straight into MLflow's own tables: a tenth of its client's work, for schemas known to the letter.

A store is written this way only where its revision is listed here and its tables have exactly the columns of `rows`;
every other store goes through the client. A test proves both ways equal, reading with MlflowClient.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.identity import fold
from leaflab.tracking.address import artifact_place
from leaflab.tracking.batch import Batch
from leaflab.tracking.keeping import reclaim, spares
from leaflab.tracking.places import local_path
from leaflab.tracking.rows import Place, Rows
from leaflab.tracking.schema import connected
from leaflab.tracking.versions import challenge, newest
from leaflab.tracking.writer import CONTINUES, KEY, KIND, PARENT, VERB, Child, Writer, deleted, put_files, tags_of

if TYPE_CHECKING:
    from leaflab.tracking.base import RunSpec, Status
    from leaflab.tracking.folder import ModelFolder
    from leaflab.values import Version

__all__ = ["SqliteWriter"]


@dataclass
class SqliteWriter(Writer):
    """Writes runs into the tables of a local store, many in one transaction.

    Args:
        uri: the store.
        file: its database.
        folder: writes the folders of models.
    """

    uri: str
    file: Path
    folder: ModelFolder
    _children: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    _mine: threading.local = field(default_factory=threading.local)

    def begin(self, spec: RunSpec, handed: str = "", started: float | None = None, run_id: str = "") -> str:
        with self._transaction() as connection:
            experiment_id, location = self._experiment(connection, spec.experiment)
            given = self._place(connection, handed) if handed else None
            known = self._find(connection, spec.key, {experiment_id, given.experiment_id if given else experiment_id})
            rows = Rows()
            if given and known and known != handed:
                rows.tags(handed, {CONTINUES: known, VERB: spec.verb})
                rows.ended.append(("FINISHED", _now(), handed))
            run_id = known or handed or run_id or uuid.uuid4().hex
            if known or given:
                rows.reopened.append(("RUNNING", spec.name, run_id))
            else:
                place = Place(run_id, experiment_id, f"{location}/{run_id}/artifacts")
                rows.run(place, spec.name, int((started or time.time()) * 1000))
            rows.tags(run_id, tags_of(spec))
            rows.write(connection)
        return run_id

    def log(self, run_id: str, batch: Batch) -> None:
        place, tags = self._read(run_id)
        rows = Rows()
        self._add(rows, place, batch, tags)
        self._write(rows)

    def annotate(self, run_id: str, batch: Batch) -> None:
        place, tags = self._read(run_id)
        model = newest(self._connection, run_id)
        rows = Rows()
        self._add(rows, place, replace(batch, points=[]), tags)
        rows.points(place, [(p, model[0] if model else None) for p in batch.points])
        self._write(rows)

    def children(self, parent: str, children: Sequence[Child]) -> None:
        above, _ = self._read(parent)
        known = self._known(parent)
        rows = Rows()
        for child in children:
            run_id, status = known.get(child.spec.key, ("", "RUNNING"))
            if status != "RUNNING":
                continue
            run_id = run_id or fold({"parent": parent, "key": child.spec.key or uuid.uuid4().hex})
            place = Place(run_id, above.experiment_id, above.artifacts.replace(parent, run_id))
            tags = tags_of(child.spec) | {PARENT: parent}
            rows.run(place, child.spec.name, int(child.started * 1000))
            rows.tags(run_id, tags)
            self._add(rows, place, child.batch, tags)
            rows.ended.append((child.status, int(child.ended * 1000), run_id))
            if child.spec.key:
                known[child.spec.key] = (run_id, child.status)
        try:
            self._write(rows)
        except BaseException:
            self._children.pop(parent)
            raise

    def finished(self, parent: str) -> set[str]:
        self._children.pop(parent, None)
        return {key for key, (_, status) in self._known(parent).items() if status != "RUNNING"}

    def thin(self, parent: str, keep: int) -> None:
        reclaim(self.file, list(spares(self.file, keep, parent)))

    def challenge(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        with self._transaction() as connection:
            return challenge(connection, name, run_id, tags)

    def end(self, run_id: str, status: Status, ended: float) -> None:
        self._write(Rows(ended=[(status, int(ended * 1000), run_id)]))

    def _known(self, parent: str) -> dict[str, tuple[str, str]]:
        """Key to run id and status of the children that are there already; read once, then kept."""
        if parent not in self._children:
            rows = self._connection.execute(
                "SELECT k.value, r.run_uuid, r.status"
                " FROM tags p JOIN runs r USING (run_uuid) JOIN tags k USING (run_uuid)"
                " WHERE p.key = ? AND p.value = ? AND k.key = ?",
                (PARENT, parent, KEY),
            )
            self._children[parent] = {key: (run_id, status) for key, run_id, status in rows}
        return self._children[parent]

    @property
    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = connected(self.file)
        made: sqlite3.Connection = self._mine.connection
        return made

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has rolled it back already
                connection.execute("ROLLBACK")
            raise

    def _write(self, rows: Rows) -> None:
        with self._transaction() as connection:
            rows.write(connection)

    def _experiment(self, connection: sqlite3.Connection, name: str) -> tuple[int, str]:
        """Id and artifact folder of an experiment, made where it does not exist."""
        query = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE name = ?"
        found = connection.execute(query, (name,)).fetchone()
        if found is None:
            connection.execute(
                "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time)"
                " VALUES (?, ?, 'active', ?, ?)",
                (name, artifact_place(self.uri, name), _now(), _now()),
            )
            found = connection.execute(query, (name,)).fetchone()
            connection.executemany(
                "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
                [(key, value, found[0]) for key, value in KIND.items()],
            )
        if found[2] != "active":
            raise deleted(name, str(found[0]))
        return int(found[0]), str(found[1])

    def _find(self, connection: sqlite3.Connection, key: str, experiment_ids: set[int]) -> str | None:
        query = (
            "SELECT r.run_uuid, r.experiment_id FROM tags t JOIN runs r USING (run_uuid)"
            " WHERE t.key = ? AND t.value = ? AND r.lifecycle_stage = 'active'"
        )
        rows = connection.execute(query, (KEY, key)).fetchall() if key else []
        return next((str(run_id) for run_id, experiment_id in rows if experiment_id in experiment_ids), None)

    def _place(self, connection: sqlite3.Connection, run_id: str) -> Place:
        query = "SELECT run_uuid, experiment_id, artifact_uri FROM runs WHERE run_uuid = ?"
        found = connection.execute(query, (run_id,)).fetchone()
        if found is None:
            raise KeyError(run_id)
        return Place(*found)

    def _read(self, run_id: str) -> tuple[Place, dict[str, str]]:
        connection = self._connection
        tags = connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,)).fetchall()
        return self._place(connection, run_id), dict(tags)

    def _add(self, rows: Rows, place: Place, batch: Batch, tags: dict[str, str]) -> None:
        """Files first, then the rows that name them: a crash between leaves files without rows, never the reverse."""
        if batch.artifacts:
            put_files(_local(place.artifacts), batch.artifacts)
        models = {}
        for model in batch.models:
            model_id = f"m-{model.uid}"
            location = f"{place.artifacts.removesuffix(f'/{place.run_id}/artifacts')}/models/{model_id}/artifacts"
            target = _local(location)
            if not (target / "MLmodel").exists():
                self.folder.write(target, model, model_id, place.run_id)
            rows.model(place, model, location, tags)
            models[model_id] = model
        rows.add(place, batch, models)


def _local(location: str) -> Path:
    path = local_path(location)
    if path is None:
        raise OSError(f"{location} is not a folder of this machine")
    return path


def _now() -> int:
    return int(time.time() * 1000)
