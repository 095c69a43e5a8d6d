"""Tracking on MLflow, whatever its store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import TrackingError
from leaflab.tracking.address import chosen, masked, sqlite_file
from leaflab.tracking.base import Record, Registry, Run, RunSpec, Status, Tracking
from leaflab.tracking.batch import batched
from leaflab.tracking.client import ClientWriter
from leaflab.tracking.facts import surroundings
from leaflab.tracking.folder import ModelFolder
from leaflab.tracking.keeping import Keeper, Models
from leaflab.tracking.opening import AWAY, made, opened, told
from leaflab.tracking.projection import Projector
from leaflab.tracking.reading import fetched, fetched_record, loaded, newest_model, searched
from leaflab.tracking.registry import MlflowRegistry
from leaflab.tracking.spool import Register, Spool
from leaflab.tracking.sqlite import SqliteWriter
from leaflab.tracking.tables import one, some
from leaflab.tracking.writer import Child, Writer
from leaflab.values import Item, Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from leaflab.scorer import Scorer

__all__ = ["MlflowRun", "MlflowTracking"]


@lru_cache(maxsize=8)
def _writer(uri: str, shared: Path) -> Writer:
    """The quickest way into a store that keeps its schema."""
    file = sqlite_file(uri)
    if file and made(uri, file):
        return SqliteWriter(uri, file, ModelFolder(shared))
    return ClientWriter(opened(uri), uri, ModelFolder(shared))


@lru_cache(maxsize=8)
def _projector(uri: str, folder: Path) -> Projector:
    return Projector(uri, folder / "spool", lambda: _writer(uri, folder / "cache" / "model"))


class MlflowRun(Run):
    """An open MLflow run: what is logged is on disk at once, and in the store when the background writer gets to it."""

    def __init__(self, spool: Spool, projector: Projector, keeper: Keeper) -> None:
        self._spool = spool
        self._projector = projector
        self._keeper = keeper
        self._known = projector.finished(spool)
        self._ended = False

    @property
    def id(self) -> str:
        """Its id in the store, or one of its own while the store has not heard of it."""
        return self._spool.run_id

    def log(self, items: Iterable[Item]) -> None:
        self._projector.put(self._spool, batched(items))

    def child(self, spec: RunSpec, items: Iterable[Item], *, status: Status, started: float, ended: float) -> None:
        if spec.key and spec.key in self._known:
            return
        batch = batched(items, ended)
        if batch.models and not self._keeper.wants(batch, spec.tags.get("leaflab.state", "")):
            batch.models = []
        self._projector.put(self._spool, Child(spec, batch, status, started, ended))

    def register(self, name: str, tags: Mapping[str, str]) -> Version | None:
        try:
            if self._projector.flush(self._spool):
                with told(self._projector.uri):
                    return self._projector.writer.challenge(name, self.id, tags)
        except TrackingError as error:
            if error.rule != AWAY:
                raise
        self._projector.put(self._spool, Register(name, tags))
        return None

    def end(self, status: Status) -> None:
        if not self._ended:
            self._ended = True
            if self._projector.end(self._spool, status) and self._keeper.choosy:
                self._projector.thin(self.id, self._keeper.keep)


class MlflowTracking(Tracking):
    """What the options on MLflow share; the fields are theirs."""

    home: Path
    address: str | None
    models: Models
    top_k: int
    all_up_to: int

    @property
    def _uri(self) -> str:
        return chosen(self.address, self.home)

    @property
    def projector(self) -> Projector:
        """The background writer of this store in this process."""
        return _projector(self._uri, self.home.resolve() / ".leaflab")

    @property
    def _client(self) -> MlflowClient:
        """For reading: what this process has logged is there first."""
        self.projector.flush()
        return opened(self._uri)

    @property
    def _tables(self) -> Path | None:
        """The database to read directly, where its schema is known; what this process has logged is there first."""
        writer = self.projector.writer
        self.projector.flush()
        return writer.file if isinstance(writer, SqliteWriter) else None

    @property
    def uri(self) -> str:
        return masked(self._uri)

    def ahead(self) -> AbstractContextManager[None]:
        return self.projector.ahead()

    def start(self, spec: RunSpec) -> Run:
        handed = os.environ.pop("MLFLOW_RUN_ID", "") if spec.adopt else ""
        keeper = Keeper(
            self.models,
            self.top_k,
            self.all_up_to,
            spec.tags.get("leaflab.metric", ""),
            spec.tags.get("leaflab.direction", "minimize") == "minimize",
        )
        run = MlflowRun(self.projector.begin(spec, handed), self.projector, keeper)
        run.log(surroundings(self.home, spec.verb))
        return run

    def annotate(self, run_id: str, items: Iterable[Item]) -> None:
        if self.get(run_id) is None:
            raise TrackingError(f"Run {run_id}", f"is not in the tracking store {self.uri}")
        with told(self._uri):
            self.projector.writer.annotate(run_id, batched(items))

    def get(self, run_id: str) -> Record | None:
        with told(self._uri):
            tables = self._tables
            return one(tables, run_id) if tables else fetched_record(self._client, run_id)

    def search(
        self, experiment: str | None = None, tags: Mapping[str, str] | None = None, *, limit: int = 1000
    ) -> list[Record]:
        with told(self._uri):
            tables = self._tables
            found = some(tables, experiment, tags or {}, limit) if tables else None
            return searched(self._client, experiment, tags or {}, limit) if found is None else found

    def artifact(self, run_id: str, path: str) -> Path | None:
        with told(self._uri):
            return fetched(self._client, run_id, path, self.home.resolve() / ".leaflab" / "cache" / "artifact")

    def scorer(self, run_id: str) -> Scorer | None:
        with told(self._uri):
            model = newest_model(self._client, run_id)
            return model and loaded(self._uri, model.artifact_location, f"models:/{model.model_id}")

    @property
    def registry(self) -> Registry:
        self.projector.flush()
        return MlflowRegistry(self._uri)
