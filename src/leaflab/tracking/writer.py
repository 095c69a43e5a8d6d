"""What writes runs into a store: the contract of its two ways, through MLflow's client and straight into its tables."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import TrackingError
from leaflab.tracking.batch import Batch, Point, StoredModel, legal, shortened, storable

if TYPE_CHECKING:
    from leaflab.tracking.base import RunSpec, Status
    from leaflab.values import Artifact, Input, Version

__all__ = ["CONTINUES", "KEY", "KIND", "PARENT", "VERB", "Child", "Writer", "version_tags"]

KEY, VERB, PARENT, CONTINUES = "leaflab.key", "leaflab.verb", "mlflow.parentRunId", "leaflab.continues"
KIND = {"mlflow.experimentKind": "custom_model_development"}


@dataclass(frozen=True)
class Child:
    """A finished child run, whole; times in seconds since the epoch."""

    spec: RunSpec
    batch: Batch
    status: Status
    started: float
    ended: float


class Writer(ABC):
    """Everything here may be repeated after a crash: what is there already stays as it is.

    Attributes:
        pulse: called whenever the store has taken something, so that a slow one is told from a dead one.
    """

    pulse: Callable[[], None] = staticmethod(lambda: None)

    @abstractmethod
    def begin(self, spec: RunSpec, handed: str = "", started: float | None = None, run_id: str = "") -> str:
        """Creates a RUNNING run, reopens the one with the same key, or takes over the one handed to us; its id.

        `started` is in seconds since the epoch, now where it is not given. A new run gets the id `run_id` where the
        store lets us choose.
        """

    @abstractmethod
    def log(self, run_id: str, batch: Batch) -> None:
        """Adds to a run."""

    @abstractmethod
    def annotate(self, run_id: str, batch: Batch) -> None:
        """Adds to a run that has ended; its metrics go to its newest model as well."""

    @abstractmethod
    def children(self, parent: str, children: Sequence[Child]) -> None:
        """Records finished children whole, once."""

    @abstractmethod
    def finished(self, parent: str) -> set[str]:
        """Keys of the children that are recorded whole."""

    @abstractmethod
    def thin(self, parent: str, keep: int) -> None:
        """Removes the models of a sweep's trials beyond the best `keep`; the sweep's `leaflab.metric` ranks them."""

    @abstractmethod
    def challenge(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Registers the newest model of a run and makes it the challenger, unless it is the champion."""

    @abstractmethod
    def end(self, run_id: str, status: Status, ended: float) -> None:
        """Ends a run."""


def tags_of(spec: RunSpec) -> dict[str, str]:
    """The tags a run is born with."""
    own = {VERB: spec.verb, "mlflow.runName": spec.name}
    own |= {KEY: spec.key} if spec.key else {}
    own |= {PARENT: spec.parent} if spec.parent else {}
    return own | {legal(k): shortened(v, 8000, "…") for k, v in spec.tags.items()}


def model_tags(tags: Mapping[str, str], model: StoredModel) -> dict[str, str]:
    """A model's tags: its run's, so that models are filtered as runs are, and its own key."""
    return {k: v for k, v in tags.items() if k.startswith("leaflab.")} | {KEY: model.uid}


def version_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that a registered version can carry."""
    return {legal(key): str(value)[:100_000] for key, value in tags.items()}


def model_params(model: StoredModel) -> dict[str, str]:
    return {legal(k): shortened(storable(str(v)), 6000, "…") for k, v in model.params.items()}


def linked(batch: Batch, models: Mapping[str, StoredModel]) -> list[tuple[Point, str | None]]:
    """Points with the model each belongs to; what only a model says becomes a point of its run too."""
    points = batch.points
    pairs: list[tuple[Point, str | None]] = [(p, None) for p in points]
    for model_id, model in models.items():
        for name, value in model.metrics.items():
            key = legal(name)
            same = (i for i in reversed(range(len(points))) if points[i].key == key and points[i].value == value)
            position = next(same, None)
            if position is None:
                pairs.append((Point(key, float(value), batch.at, 0), model_id))
            else:
                pairs[position] = (points[position], model_id)
    return pairs


def dataset_record(item: Input) -> dict[str, str]:
    """The fields of MLflow's dataset, with our digest."""
    columns = [{"type": kind, "name": name, "required": False} for name, kind in item.schema.items()]
    return {
        "name": item.name,
        "digest": item.digest[:36],
        "source_type": "local",
        "source": json.dumps({"uri": item.source}),
        "schema": json.dumps({"mlflow_colspec": columns})[:1_000_000],
        "profile": json.dumps({"num_rows": item.rows, "num_columns": len(item.schema)}),
    }


def deleted(name: str, experiment_id: str) -> TrackingError:
    way = f"`mlflow experiments restore -x {experiment_id}`, or choose another name="
    return TrackingError(f"The experiment '{name}'", "is deleted in MLflow", hint=way)


def put_files(root: Path, artifacts: Iterable[Artifact]) -> None:
    """Writes a run's files under its local folder."""
    for artifact in artifacts:
        place = root / artifact.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(artifact.content, Path):
            partial = place.with_name(f".{place.name}-{os.getpid()}")
            shutil.copyfile(artifact.content, partial)
            partial.replace(place)
        else:
            content = artifact.content
            place.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
