"""Tracking on MLflow, whatever its store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
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
from leaflab.tracking.opening import opened, told
from leaflab.tracking.reading import fetched, loaded, newest_model, record_of, searched
from leaflab.tracking.registry import MlflowRegistry
from leaflab.tracking.sqlite import SqliteWriter, is_known
from leaflab.tracking.writer import Child, Writer
from leaflab.values import Item

if TYPE_CHECKING:
    from leaflab.scorer import Scorer

__all__ = ["MlflowRun", "MlflowTracking"]


@lru_cache(maxsize=8)
def _writer(uri: str, shared: Path) -> Writer:
    """The quickest way into a store that keeps its schema."""
    file = sqlite_file(uri)
    if file and not is_known(file):
        opened(uri)
    if file and is_known(file):
        return SqliteWriter(uri, file, ModelFolder(shared))
    return ClientWriter(opened(uri), uri, ModelFolder(shared))


class MlflowRun(Run):
    """An open MLflow run."""

    def __init__(self, run_id: str, writer: Writer, uri: str) -> None:
        self.id = run_id
        self._writer = writer
        self._uri = uri
        self._ended = False

    def log(self, items: Iterable[Item]) -> None:
        with told(self._uri):
            self._writer.log(self.id, batched(items))

    def child(self, spec: RunSpec, items: Iterable[Item], *, status: Status, started: float, ended: float) -> None:
        with told(self._uri):
            self._writer.children(self.id, [Child(spec, batched(items, ended), status, started, ended)])

    def end(self, status: Status) -> None:
        if not self._ended:
            with told(self._uri):
                self._writer.end(self.id, status, time.time())
            self._ended = True


class MlflowTracking(Tracking):
    """What the options on MLflow share; `home` and `address` are theirs."""

    home: Path
    address: str | None

    @property
    def _uri(self) -> str:
        return chosen(self.address, self.home)

    @property
    def _writer(self) -> Writer:
        with told(self._uri):
            return _writer(self._uri, self.home.resolve() / ".leaflab" / "cache" / "model")

    @property
    def uri(self) -> str:
        return masked(self._uri)

    def start(self, spec: RunSpec) -> Run:
        handed = os.environ.pop("MLFLOW_RUN_ID", "") if spec.adopt else ""
        with told(self._uri):
            run = MlflowRun(self._writer.begin(spec, handed), self._writer, self._uri)
            run.log(surroundings(self.home, spec.verb))
            return run

    def annotate(self, run_id: str, items: Iterable[Item]) -> None:
        if self.get(run_id) is None:
            raise TrackingError(f"Run {run_id}", f"is not in the tracking store {self.uri}")
        with told(self._uri):
            self._writer.annotate(run_id, batched(items))

    def get(self, run_id: str) -> Record | None:
        from mlflow.exceptions import MlflowException

        with told(self._uri):
            client = opened(self._uri)
            try:
                run = client.get_run(run_id)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return record_of(run, client.get_experiment(run.info.experiment_id).name)

    def search(
        self, experiment: str | None = None, tags: Mapping[str, str] | None = None, *, limit: int = 1000
    ) -> list[Record]:
        with told(self._uri):
            return searched(opened(self._uri), experiment, tags or {}, limit)

    def artifact(self, run_id: str, path: str) -> Path | None:
        with told(self._uri):
            return fetched(opened(self._uri), run_id, path, self.home.resolve() / ".leaflab" / "cache" / "artifact")

    def scorer(self, run_id: str) -> Scorer | None:
        with told(self._uri):
            model = newest_model(opened(self._uri), run_id)
            return model and loaded(self._uri, model.artifact_location, f"models:/{model.model_id}")

    @property
    def registry(self) -> Registry:
        return MlflowRegistry(self._uri)
