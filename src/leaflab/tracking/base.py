"""Where runs and model versions are recorded; the only room that knows MLflow."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from leaflab.tracking.batch import storable
from leaflab.values import Artifact, Tag

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from leaflab.scorer import Scorer
    from leaflab.values import Item, Version

__all__ = ["Record", "Registry", "Run", "RunSpec", "Status", "Tracking"]

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class RunSpec:
    """What a run is.

    Args:
        experiment: MLflow experiment name; made where it does not exist.
        verb: tag `leaflab.verb`.
        name: run name (`sweep adult 60 s`, `trial 0037`).
        key: identity; starting the same key in the same experiment continues the same run. "" is always a new run.
        parent: run id of the parent.
        tags: further tags.
        adopt: take over the run that `mlflow run` handed to this process (MLFLOW_RUN_ID), if there is one.
    """

    experiment: str
    verb: str
    name: str
    key: str = ""
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    adopt: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", storable(self.name))
        object.__setattr__(self, "tags", {key: storable(str(value)) for key, value in self.tags.items()})


@dataclass(frozen=True)
class Record:
    """A run as the store has it; times in seconds since the epoch."""

    id: str
    experiment: str
    name: str
    status: Status
    started: float
    ended: float | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    inputs: tuple[Mapping[str, str], ...] = ()


class Run(ABC):
    """An open run. As a context it ends FINISHED, FAILED with the traceback, or KILLED when interrupted."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The store's id of this run."""

    @abstractmethod
    def log(self, items: Iterable[Item]) -> None:
        """Records items; returns without waiting for a server, and nothing logged is lost."""

    @abstractmethod
    def child(self, spec: RunSpec, items: Iterable[Item], *, status: Status, started: float, ended: float) -> None:
        """Records a finished child run whole, once: a child whose key is there already is left as it is."""

    @abstractmethod
    def register(self, name: str, tags: Mapping[str, str]) -> Version | None:
        """Registers the run's newest model as the challenger; None where the store is away and will do so later."""

    @abstractmethod
    def end(self, status: Status) -> None:
        """Waits until everything logged is recorded or safely spooled, and ends the run. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from leaflab.errors import CheckFailed, Interrupted

        if error is None or isinstance(error, CheckFailed):
            self.end("FINISHED")
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self.end("KILLED")
        else:
            text = "".join(traceback.format_exception(kind, error, trace))
            self.log([Tag("leaflab.error", str(error)), Artifact("traceback.txt", text)])
            self.end("FAILED")


class Registry(ABC):
    """Registered models, versions, aliases and tags."""

    @abstractmethod
    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Makes a version of the newest model of a run; the same run's model is registered once."""

    def challenge(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Registers the newest model of a run and makes it the challenger, unless it is the champion."""
        made = self.register(name, run_id, tags)
        champion = self.version(name, alias="champion")
        if champion is None or champion.number != made.number:
            self.point(name, "challenger", made.number)
        return self.version(name, number=made.number) or made

    @abstractmethod
    def version(self, name: str, *, alias: str | None = None, number: int | None = None) -> Version | None:
        """The version an alias points to, or the numbered one; None where there is none."""

    @abstractmethod
    def versions(self, name: str) -> list[Version]:
        """All versions, oldest first."""

    @abstractmethod
    def point(self, name: str, alias: str, number: int | None) -> None:
        """Moves an alias to a version; None removes it."""

    @abstractmethod
    def tag(self, name: str, number: int | None, tags: Mapping[str, str]) -> None:
        """Tags a version, or the registered model itself where `number` is None."""

    @abstractmethod
    def model_tags(self, name: str) -> Mapping[str, str]:
        """Tags of the registered model itself; empty where it does not exist."""

    @abstractmethod
    def scorer(self, version: Version) -> Scorer:
        """The model of a version, loaded.

        Raises:
            ModelError: its files are missing or cannot be loaded.
        """

    def example(self, version: Version) -> Mapping[str, list[Any]]:
        """The rows shown with a version's model, column name to values; empty where it has none."""
        return {}

    def digest(self, version: Version) -> str:
        """Identity of all files of a version, as they are in the store now (32 hex characters)."""
        from leaflab.identity import fold

        return fold(self.scorer(version).files())

    def export(self, version: Version, folder: Path) -> None:
        """Writes a version's files, with what loads them, into a new folder.

        Raises:
            ModelError: its files are missing.
        """
        self.scorer(version).save(folder)

    def ways(self, version: Version) -> Mapping[str, Callable[[pd.DataFrame], np.ndarray]]:
        """How a version can be asked: name of the way to a function from raw rows to scores."""
        return {"files": self.scorer(version).score}


class Tracking(ABC):
    """Contract: constructing one opens nothing; the store is made and migrated once, on first use."""

    def ahead(self) -> AbstractContextManager[None]:
        """Makes a store that is not there beside the work done in this context, which then waits for nothing.

        Leaving it waits until every run that ended inside is recorded.
        """
        return nullcontext()

    @abstractmethod
    def start(self, spec: RunSpec) -> Run:
        """Opens a run, or continues the one with the same key.

        Raises:
            TrackingError: the store cannot be reached or written.
        """

    @abstractmethod
    def annotate(self, run_id: str, items: Iterable[Item]) -> None:
        """Adds to a run that has ended, without reopening it; its metrics go to its newest logged model as well.

        Raises:
            TrackingError: there is no such run.
        """

    @abstractmethod
    def get(self, run_id: str) -> Record | None:
        """One run; None where there is none."""

    @abstractmethod
    def search(
        self, experiment: str | None = None, tags: Mapping[str, str] | None = None, *, limit: int = 1000
    ) -> list[Record]:
        """Runs with these tags (all of them), newest first."""

    @abstractmethod
    def artifact(self, run_id: str, path: str) -> Path | None:
        """A local copy of a run's file; None where there is none."""

    @abstractmethod
    def scorer(self, run_id: str) -> Scorer | None:
        """The newest model of a run, loaded; None where it has none."""

    @property
    @abstractmethod
    def registry(self) -> Registry:
        """The model registry of this store."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """The tracking URI, without secrets."""
