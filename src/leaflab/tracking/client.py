"""Writing to any MLflow store through its client: the path every store understands."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from leaflab.errors import TrackingError
from leaflab.tracking.address import sqlite_file
from leaflab.tracking.batch import Batch, Point, chunks, legal, shortened
from leaflab.tracking.places import local_path
from leaflab.tracking.reading import newest_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from leaflab.tracking.base import RunSpec, Status
    from leaflab.tracking.folder import ModelFolder
    from leaflab.values import Artifact, Input, Model

__all__ = ["Begun", "Child", "ClientWriter"]

KEY, VERB, PARENT, CONTINUES = "leaflab.key", "leaflab.verb", "mlflow.parentRunId", "leaflab.continues"
_KIND = {"mlflow.experimentKind": "custom_model_development"}


class Begun(NamedTuple):
    """An open run and the experiment it lies in."""

    run_id: str
    experiment_id: str


@dataclass(frozen=True)
class Child:
    """A finished child run, whole; times in seconds since the epoch."""

    spec: RunSpec
    batch: Batch
    status: Status
    started: float
    ended: float


@dataclass
class ClientWriter:
    """Writes runs through MlflowClient.

    Args:
        client: the store's client.
        uri: the store.
        folder: writes the folders of models.
    """

    client: MlflowClient
    uri: str
    folder: ModelFolder
    _experiments: dict[str, str] = field(default_factory=dict)
    _children: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def experiment(self, name: str) -> str:
        """The id of an experiment, made where it does not exist."""
        from mlflow.exceptions import MlflowException

        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                file = sqlite_file(self.uri)
                place = str(file.parent / "mlartifacts" / quote(name, safe=" ")) if file else None
                try:
                    self._experiments[name] = self.client.create_experiment(name, place, tags=_KIND)
                    return self._experiments[name]
                except MlflowException:  # another process was first
                    found = self.client.get_experiment_by_name(name)
                    if found is None:
                        raise
            if found.lifecycle_stage != "active":
                way = f"`mlflow experiments restore -x {found.experiment_id}`, or choose another name="
                raise TrackingError(f"The experiment '{name}'", "is deleted in MLflow", hint=way)
            self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def find(self, key: str, experiment_ids: Sequence[str]) -> Any | None:
        """The run with this key."""
        runs = self.client.search_runs(list(experiment_ids), f"tags.`{KEY}` = '{key}'", max_results=1) if key else []
        return runs[0] if runs else None

    def begin(self, spec: RunSpec, handed: str = "") -> Begun:
        """Creates a RUNNING run, reopens the one with the same key, or takes over the one that was handed to us."""
        experiment_id = self.experiment(spec.experiment)
        given = self.client.get_run(handed) if handed else None
        places = {experiment_id, given.info.experiment_id} if given else {experiment_id}
        known = self.find(spec.key, sorted(places))
        if given and known and known.info.run_id != handed:
            self.log(handed, Batch(tags={CONTINUES: known.info.run_id, VERB: spec.verb}))
            self.end(handed, "FINISHED")
        if run := known or given:
            run_id = str(run.info.run_id)
            self.client.update_run(run_id, status="RUNNING", name=spec.name)
            self.log(run_id, Batch(tags=tags_of(spec)))
            return Begun(run_id, str(run.info.experiment_id))
        made = self.client.create_run(experiment_id, int(time.time() * 1000), tags_of(spec), spec.name)
        return Begun(str(made.info.run_id), experiment_id)

    def log(self, run_id: str, batch: Batch) -> None:
        """Adds to a run; repeating it changes nothing."""
        made = [(self._model(run_id, model), model) for model in batch.models]
        self._pairs(run_id, batch)
        self._points(run_id, batch.points, {legal(k): (i, float(v)) for i, m in made for k, v in m.metrics.items()})
        if batch.inputs:
            self.client.log_inputs(run_id, [dataset_input(i) for i in batch.inputs])
        self.artifacts(run_id, batch.artifacts)

    def annotate(self, run_id: str, batch: Batch) -> None:
        """Adds to a run that has ended; its metrics go to its newest model as well."""
        self.log(run_id, replace(batch, points=[]))
        model = newest_model(self.client, run_id)
        self._points(run_id, batch.points, {p.key: (model.model_id, p.value) for p in batch.points} if model else {})

    def children(self, parent: Begun, children: Sequence[Child]) -> None:
        """Records finished children whole, once."""
        known = self.known_children(parent)
        for child in children:
            run_id, status = known.get(child.spec.key, ("", ""))
            if run_id and status != "RUNNING":
                continue
            run_id = run_id or self._create_child(parent, child)
            self.log(run_id, child.batch)
            self.end(run_id, child.status, child.ended)
            if child.spec.key:
                known[child.spec.key] = (run_id, child.status)

    def known_children(self, parent: Begun) -> dict[str, tuple[str, str]]:
        """Key to run id and status of the children that are there already."""
        if parent.run_id not in self._children:
            token: str | None = None
            found: dict[str, tuple[str, str]] = {}
            while True:
                query = f"tags.`{PARENT}` = '{parent.run_id}'"
                page = self.client.search_runs([parent.experiment_id], query, max_results=1000, page_token=token)
                found |= {r.data.tags[KEY]: (r.info.run_id, r.info.status) for r in page if KEY in r.data.tags}
                token = page.token
                if not token:
                    break
            self._children[parent.run_id] = found
        return self._children[parent.run_id]

    def _create_child(self, parent: Begun, child: Child) -> str:
        tags = tags_of(child.spec) | {PARENT: parent.run_id}
        run = self.client.create_run(parent.experiment_id, int(child.started * 1000), tags, child.spec.name)
        return str(run.info.run_id)

    def end(self, run_id: str, status: Status, ended: float | None = None) -> None:
        self.client.set_terminated(run_id, status, int((ended or time.time()) * 1000))

    def _pairs(self, run_id: str, batch: Batch) -> None:
        from mlflow.entities import Param, RunTag
        from mlflow.exceptions import MlflowException

        for piece in chunks(Batch(params=batch.params, tags=batch.tags)):
            tags = [RunTag(k, v) for k, v in piece.tags.items()]
            try:
                self.client.log_batch(run_id, params=[Param(k, v) for k, v in piece.params.items()], tags=tags)
            except MlflowException as error:
                if error.error_code != "INVALID_PARAMETER_VALUE":
                    raise
                self._changed(run_id, piece)

    def _changed(self, run_id: str, piece: Batch) -> None:
        """MLflow keeps a param's first value for good; a continued sweep's new ones stand in tags."""
        from mlflow.entities import Param, RunTag

        there = self.client.get_run(run_id).data.params
        fresh = [Param(k, v) for k, v in piece.params.items() if k not in there]
        changed = [RunTag(f"param.{k}", v) for k, v in piece.params.items() if there.get(k, v) != v]
        self.client.log_batch(run_id, params=fresh, tags=[*changed, *(RunTag(k, v) for k, v in piece.tags.items())])

    def _points(self, run_id: str, points: Sequence[Point], owned: Mapping[str, tuple[str, float]]) -> None:
        """Adds points; those of a model (metric to model id and value) are linked to it as well."""
        from mlflow.entities import Metric

        def of(p: Point) -> str | None:
            model_id, value = owned.get(p.key, (None, None))
            return model_id if value == p.value else None

        linked = {p.key for p in points if of(p)}
        now = points[-1].time if points else int(time.time() * 1000)
        extra = [Point(key, value, now, 0) for key, (_, value) in owned.items() if key not in linked]
        made = [Metric(*p, model_id=of(p), run_id=run_id) for p in [*points, *extra]]
        for start in range(0, len(made), 1000):
            self.client.log_batch(run_id, metrics=made[start : start + 1000])

    def artifacts(self, run_id: str, artifacts: Sequence[Artifact]) -> None:
        """Copies files into the run: straight into a local folder, else by upload."""
        if not artifacts:
            return
        root = local_path(self.client.get_run(run_id).info.artifact_uri)
        with tempfile.TemporaryDirectory() as scratch:
            target = root or Path(scratch)
            for artifact in artifacts:
                _write(target / artifact.path, artifact.content)
            if root is None:
                self.client.log_artifacts(run_id, scratch)

    def _model(self, run_id: str, model: Model) -> str:
        """Makes the LoggedModel of a run, or finds the one an interrupted attempt left."""
        run = self.client.get_run(run_id)
        tags = {KEY: model.name, **{k: v for k, v in run.data.tags.items() if k.startswith("leaflab.") and k != KEY}}
        params = {legal(k): shortened(str(v), 6000, "…") for k, v in model.params.items()}
        query = f"source_run_id = '{run_id}' AND name = '{model.name}'"
        found = self.client.search_logged_models([run.info.experiment_id], query, max_results=1)
        made = found[0] if found else self.client.create_logged_model(
            run.info.experiment_id, model.name, run_id, tags, params, "leaflab"
        )  # fmt: skip
        self._store_model(made, model, run_id)
        self.client.finalize_logged_model(made.model_id, "READY")
        if not run.outputs or made.model_id not in {o.model_id for o in run.outputs.model_outputs}:
            from mlflow.entities import LoggedModelOutput

            self.client.log_outputs(run_id, [LoggedModelOutput(made.model_id, 0)])
        return str(made.model_id)

    def _store_model(self, made: Any, model: Model, run_id: str) -> None:
        target = local_path(made.artifact_location)
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)
            self.folder.write(target, model, made.model_id, run_id)
            return
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            self.folder.write(folder, model, made.model_id, run_id)
            self.client.log_model_artifacts(made.model_id, str(folder))


def tags_of(spec: RunSpec) -> dict[str, str]:
    """The tags a run is born with."""
    own = {VERB: spec.verb, "mlflow.runName": spec.name}
    own |= {KEY: spec.key} if spec.key else {}
    own |= {PARENT: spec.parent} if spec.parent else {}
    return own | {legal(k): shortened(str(v), 8000, "…") for k, v in spec.tags.items()}


def dataset_input(item: Input) -> Any:
    """A dataset part as MLflow's record of an input, with our digest."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    record = dataset_record(item)
    return DatasetInput(Dataset(**record), [InputTag("mlflow.data.context", item.context)])


def dataset_record(item: Input) -> dict[str, str]:
    """The fields of MLflow's dataset: a part is a dataset of its own, for one name and digest keeps one context."""
    columns = [{"type": kind, "name": name, "required": False} for name, kind in item.schema.items()]
    return {
        "name": item.name,
        "digest": item.digest[:36],
        "source_type": "local",
        "source": json.dumps({"uri": item.source}),
        "schema": json.dumps({"mlflow_colspec": columns})[:1_000_000],
        "profile": json.dumps({"num_rows": item.rows, "num_columns": len(item.schema)}),
    }


def _write(place: Path, content: str | bytes | Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, place)
    else:
        place.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
