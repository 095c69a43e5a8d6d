"""Tracking in this process: the same contract without MLflow."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import ModelError, TrackingError
from leaflab.option import option
from leaflab.tracking.base import Record, Registry, Run, RunSpec, Status, Tracking
from leaflab.tracking.batch import Batch, StoredModel, batched
from leaflab.values import Item, Metric, Version

if TYPE_CHECKING:
    from leaflab.scorer import Scorer

__all__ = ["Memory"]


@dataclass
class _Stored:
    """A run in memory."""

    id: str
    spec: RunSpec
    status: Status
    started: float
    ended: float | None = None
    batch: Batch = field(default_factory=Batch)

    def record(self) -> Record:
        latest = {p.key: p.value for p in sorted(self.batch.points, key=lambda p: (p.step, p.time))}
        tags = {**self.spec.tags, **self.batch.tags, "leaflab.verb": self.spec.verb}
        tags |= {"leaflab.key": self.spec.key} if self.spec.key else {}
        tags |= {"mlflow.parentRunId": self.spec.parent} if self.spec.parent else {}
        inputs = tuple(
            {"name": i.name, "digest": i.digest, "context": i.context, "source": i.source} for i in self.batch.inputs
        )
        return Record(self.id, self.spec.experiment, self.spec.name, self.status, self.started, self.ended,
                      tags, dict(self.batch.params), latest, inputs)  # fmt: skip

    def add(self, batch: Batch) -> None:
        self.batch.params |= batch.params
        self.batch.tags |= batch.tags
        self.batch.points += batch.points
        self.batch.inputs += [i for i in batch.inputs if i not in self.batch.inputs]
        self.batch.artifacts += batch.artifacts
        self.batch.models += batch.models
        told = {p.key for p in batch.points}
        extra = (Metric(key, value) for m in batch.models for key, value in m.metrics.items() if key not in told)
        self.batch.points += batched(extra).points


@dataclass
class _Shelf:
    """All that one Memory holds."""

    runs: dict[str, _Stored] = field(default_factory=dict)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    models: dict[str, StoredModel] = field(default_factory=dict)
    aliases: dict[str, dict[str, int]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    files: Path | None = None

    def __del__(self) -> None:
        if self.files is not None:
            shutil.rmtree(self.files, ignore_errors=True)


@option
class Memory(Tracking):
    """Runs and models in this process, gone with it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shelf", _Shelf())

    @property
    def shelf(self) -> _Shelf:
        made: _Shelf = self.__dict__["_shelf"]
        return made

    def start(self, spec: RunSpec) -> Run:
        if spec.adopt:
            os.environ.pop("MLFLOW_RUN_ID", None)
        known = _keyed(self.shelf, spec)
        stored = known or _Stored(uuid.uuid4().hex, spec, "RUNNING", time.time())
        stored.status, stored.ended = "RUNNING", None
        self.shelf.runs[stored.id] = stored
        return _MemoryRun(stored, self.shelf)

    def annotate(self, run_id: str, items: Iterable[Item]) -> None:
        if run_id not in self.shelf.runs:
            raise TrackingError(f"Run {run_id}", "is not in memory")
        self.shelf.runs[run_id].add(batched(items))

    def get(self, run_id: str) -> Record | None:
        stored = self.shelf.runs.get(run_id)
        return stored.record() if stored else None

    def search(
        self, experiment: str | None = None, tags: Mapping[str, str] | None = None, *, limit: int = 1000
    ) -> list[Record]:
        records = [stored.record() for stored in self.shelf.runs.values()]
        fits = [
            r
            for r in records
            if experiment in (None, r.experiment) and all(r.tags.get(k) == v for k, v in (tags or {}).items())
        ]
        return sorted(fits, key=lambda r: -r.started)[:limit]

    def artifact(self, run_id: str, path: str) -> Path | None:
        stored = self.shelf.runs.get(run_id)
        found = next((a for a in reversed(stored.batch.artifacts) if a.path == path), None) if stored else None
        if found is None:
            return None
        if self.shelf.files is None:
            self.shelf.files = Path(tempfile.mkdtemp(prefix="leaflab-"))
        place = self.shelf.files / run_id / path
        place.parent.mkdir(parents=True, exist_ok=True)
        content = found.content.read_bytes() if isinstance(found.content, Path) else found.content
        place.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return place

    def scorer(self, run_id: str) -> Scorer | None:
        stored = self.shelf.runs.get(run_id)
        return _scorer(stored.batch.models[-1]) if stored and stored.batch.models else None

    @property
    def registry(self) -> Registry:
        return _MemoryRegistry(self.shelf)

    @property
    def uri(self) -> str:
        return "memory:"


def _keyed(shelf: _Shelf, spec: RunSpec) -> _Stored | None:
    same = (
        r for r in shelf.runs.values() if spec.key and (r.spec.key, r.spec.experiment) == (spec.key, spec.experiment)
    )
    return next(same, None)


class _MemoryRun(Run):
    def __init__(self, stored: _Stored, shelf: _Shelf) -> None:
        self._stored = stored
        self._shelf = shelf

    @property
    def id(self) -> str:
        return self._stored.id

    def register(self, name: str, tags: Mapping[str, str]) -> Version | None:
        return _MemoryRegistry(self._shelf).challenge(name, self.id, tags)

    def log(self, items: Iterable[Item]) -> None:
        self._stored.add(batched(items))

    def child(self, spec: RunSpec, items: Iterable[Item], *, status: Status, started: float, ended: float) -> None:
        spec = replace(spec, parent=self.id)
        if _keyed(self._shelf, spec) is None:
            child = _Stored(uuid.uuid4().hex, spec, status, started, ended, batched(items, ended))
            self._shelf.runs[child.id] = child

    def end(self, status: Status) -> None:
        if self._stored.ended is None:
            self._stored.status, self._stored.ended = status, time.time()


@dataclass(frozen=True)
class _MemoryRegistry(Registry):
    shelf: _Shelf

    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        stored = self.shelf.runs.get(run_id)
        if stored is None or not stored.batch.models:
            raise ModelError(f"Run {run_id}", "has no model to register")
        uri = f"models:/m-{run_id}-{len(stored.batch.models)}"
        known = next((v for v in self.versions(name) if v.model_uri == uri), None)
        if known is not None:
            self.tag(name, known.number, tags)
        else:
            made = self.shelf.versions.setdefault(name, [])
            shown = {key: f"{value:.6g}" for key, value in stored.record().metrics.items()}
            known = Version(name, len(made) + 1, run_id, uri, tags={**shown, **tags}, created=time.time())
            made.append(known)
            self.shelf.models[uri] = stored.batch.models[-1]
        return self._one(name, known.number)

    def version(self, name: str, *, alias: str | None = None, number: int | None = None) -> Version | None:
        wanted = self.shelf.aliases.get(name, {}).get(alias) if alias is not None else number
        exists = any(v.number == wanted for v in self.shelf.versions.get(name, []))
        return self._one(name, wanted) if wanted is not None and exists else None

    def versions(self, name: str) -> list[Version]:
        return [self._one(name, v.number) for v in self.shelf.versions.get(name, [])]

    def point(self, name: str, alias: str, number: int | None) -> None:
        aliases = self.shelf.aliases.setdefault(name, {})
        if number is None:
            aliases.pop(alias, None)
        else:
            aliases[alias] = number

    def tag(self, name: str, number: int | None, tags: Mapping[str, str]) -> None:
        if number is None:
            self.shelf.tags.setdefault(name, {}).update(tags)
        else:
            made = self.shelf.versions[name]
            made[number - 1] = replace(made[number - 1], tags={**made[number - 1].tags, **tags})

    def model_tags(self, name: str) -> Mapping[str, str]:
        return dict(self.shelf.tags.get(name, {}))

    def scorer(self, version: Version) -> Scorer:
        return _scorer(self.shelf.models[version.model_uri])

    def _one(self, name: str, number: int) -> Version:
        aliases = tuple(sorted(a for a, n in self.shelf.aliases.get(name, {}).items() if n == number))
        return replace(self.shelf.versions[name][number - 1], aliases=aliases)


def _scorer(model: StoredModel) -> Scorer:
    from leaflab.scorer import Scorer

    return Scorer.from_files(model.files)
