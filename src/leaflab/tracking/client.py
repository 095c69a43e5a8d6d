"""Writing to any MLflow store through its client: the way every store understands."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.tracking.address import artifact_place, is_server
from leaflab.tracking.batch import Batch, Point, StoredModel, chunks
from leaflab.tracking.places import local_path
from leaflab.tracking.reading import newest_model
from leaflab.tracking.registry import MlflowRegistry
from leaflab.tracking.writer import (
    CONTINUES,
    KEY,
    KIND,
    PARENT,
    VERB,
    Child,
    Writer,
    dataset_record,
    deleted,
    linked,
    model_params,
    model_tags,
    put_files,
    tags_of,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from leaflab.tracking.base import RunSpec, Status
    from leaflab.tracking.folder import ModelFolder
    from leaflab.values import Artifact, Input, Version

__all__ = ["ClientWriter"]

_AT_ONCE = 8  # requests to a server mostly wait


@dataclass
class ClientWriter(Writer):
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
                try:
                    made = self.client.create_experiment(name, artifact_place(self.uri, name), tags=KIND)
                    return self._experiments.setdefault(name, made)
                except MlflowException:  # another process was first
                    found = self.client.get_experiment_by_name(name)
                    if found is None:
                        raise
            if found.lifecycle_stage != "active":
                raise deleted(name, found.experiment_id)
            self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def begin(self, spec: RunSpec, handed: str = "", started: float | None = None, run_id: str = "") -> str:
        experiment_id = self.experiment(spec.experiment)
        given = self.client.get_run(handed) if handed else None
        places = {experiment_id, given.info.experiment_id} if given else {experiment_id}
        known = self._find(spec.key, sorted(places))
        if given and known and known.info.run_id != handed:
            self.log(handed, Batch(tags={CONTINUES: known.info.run_id, VERB: spec.verb}))
            self.end(handed, "FINISHED", time.time())
        if run := known or given:
            self.client.update_run(run.info.run_id, status="RUNNING", name=spec.name)
            self.log(run.info.run_id, Batch(tags=tags_of(spec)))
            return str(run.info.run_id)
        made = self.client.create_run(experiment_id, int((started or time.time()) * 1000), tags_of(spec), spec.name)
        return str(made.info.run_id)

    def log(self, run_id: str, batch: Batch) -> None:
        self._log(run_id, batch, self.client.get_run(run_id) if batch.models else None)

    def _log(self, run_id: str, batch: Batch, run: Any | None) -> None:
        models = {self._model(run, model): model for model in batch.models}
        self._pairs(run_id, batch)
        self.pulse()
        self.log_points(run_id, linked(batch, models))
        if batch.inputs:
            self.client.log_inputs(run_id, [dataset_input(i) for i in batch.inputs])
        self._artifacts(run_id, batch.artifacts)

    def annotate(self, run_id: str, batch: Batch) -> None:
        self.log(run_id, replace(batch, points=[]))
        model = newest_model(self.client, run_id)
        self.log_points(run_id, [(p, model.model_id if model else None) for p in batch.points])

    def children(self, parent: str, children: Sequence[Child]) -> None:
        experiment_id = self.client.get_run(parent).info.experiment_id
        known = self._known(parent, experiment_id)

        def record(child: Child) -> None:
            run_id, status = known.get(child.spec.key, ("", ""))
            if run_id and status != "RUNNING":
                return
            run = self.client.get_run(run_id) if run_id else self._create(experiment_id, parent, child)
            run_id = run.info.run_id
            self._log(run_id, child.batch, run)
            self.end(run_id, child.status, child.ended)
            self.pulse()
            if child.spec.key:
                known[child.spec.key] = (run_id, child.status)

        with ThreadPoolExecutor(_AT_ONCE if is_server(self.uri) else 1) as pool:
            first = {child.spec.key or id(child): child for child in reversed(children)}
            try:
                list(pool.map(record, reversed(first.values())))
            except Exception:
                self._children.pop(parent, None)  # one that was begun and not ended is found in the store next time
                raise

    def finished(self, parent: str) -> set[str]:
        self._children.pop(parent, None)
        known = self._known(parent, self.client.get_run(parent).info.experiment_id)
        return {key for key, (_, status) in known.items() if status != "RUNNING"}

    def thin(self, parent: str, keep: int) -> None:
        """Marks the models deleted; their files are freed by `mlflow gc` where the server runs."""
        run = self.client.get_run(parent)
        metric, sign = run.data.tags["leaflab.metric"], 1 if run.data.tags["leaflab.direction"] == "minimize" else -1
        query, found, token = f"tags.`{PARENT}` = '{parent}' AND tags.`{VERB}` = 'trial'", [], None
        while True:
            page = self.client.search_runs([run.info.experiment_id], query, max_results=1000, page_token=token)
            found += [r for r in page if r.outputs and r.outputs.model_outputs]
            token = page.token
            if not token:
                break
        worst_last = sorted(found, key=lambda r: _rank(r, metric, sign))
        for run in worst_last[keep:]:
            for output in run.outputs.model_outputs:
                model = self.client.get_logged_model(output.model_id)
                if "mlflow.modelVersions" not in model.tags:
                    self.client.delete_logged_model(output.model_id)

    def challenge(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        return MlflowRegistry(self.uri).challenge(name, run_id, tags)

    def end(self, run_id: str, status: Status, ended: float) -> None:
        self.client.set_terminated(run_id, status, int(ended * 1000))

    def _find(self, key: str, experiment_ids: Sequence[str]) -> Any | None:
        runs = self.client.search_runs(list(experiment_ids), f"tags.`{KEY}` = '{key}'", max_results=1) if key else []
        return runs[0] if runs else None

    def _known(self, parent: str, experiment_id: str) -> dict[str, tuple[str, str]]:
        """Key to run id and status of the children that are there already."""
        if parent not in self._children:
            token: str | None = None
            found: dict[str, tuple[str, str]] = {}
            while True:
                query = f"tags.`{PARENT}` = '{parent}'"
                page = self.client.search_runs([experiment_id], query, max_results=1000, page_token=token)
                found |= {r.data.tags[KEY]: (r.info.run_id, r.info.status) for r in page if KEY in r.data.tags}
                token = page.token
                if not token:
                    break
            self._children[parent] = found
        return self._children[parent]

    def _create(self, experiment_id: str, parent: str, child: Child) -> Any:
        tags = tags_of(child.spec) | {PARENT: parent}
        return self.client.create_run(experiment_id, int(child.started * 1000), tags, child.spec.name)

    def _pairs(self, run_id: str, batch: Batch) -> None:
        from mlflow.entities import Param, RunTag
        from mlflow.exceptions import MlflowException

        for piece in chunks(batch):
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

    def log_points(self, run_id: str, points: Sequence[tuple[Point, str | None]]) -> None:
        """Adds points, each with the model it belongs to."""
        from mlflow.entities import Metric

        made = [Metric(*p, model_id=model_id, run_id=run_id) for p, model_id in points]
        for start in range(0, len(made), 1000):
            self.client.log_batch(run_id, metrics=made[start : start + 1000])

    def _artifacts(self, run_id: str, artifacts: Sequence[Artifact]) -> None:
        """Copies files into the run: straight into a local folder, else by upload."""
        if not artifacts:
            return
        root = local_path(self.client.get_run(run_id).info.artifact_uri)
        if root is not None:
            put_files(root, artifacts)
            return
        with tempfile.TemporaryDirectory() as scratch:
            put_files(Path(scratch), artifacts)
            self.client.log_artifacts(run_id, scratch)

    def _model(self, run: Any, model: StoredModel) -> str:
        """Makes the LoggedModel of a run, or finishes the one an interrupted attempt left."""
        from mlflow.entities import LoggedModelOutput

        run_id = run.info.run_id
        query = f"tags.`{KEY}` = '{model.uid}'"
        found = self.client.search_logged_models([run.info.experiment_id], query, max_results=1)
        if found and found[0].status == "READY":
            return str(found[0].model_id)
        tags, params = model_tags(run.data.tags, model), model_params(model)
        made = found[0] if found else self.client.create_logged_model(
            run.info.experiment_id, model.name, run_id, tags, params, "leaflab"
        )  # fmt: skip
        self._store(made, model, run_id)
        self.pulse()
        if made.model_id not in _outputs(run):
            self.client.log_outputs(run_id, [LoggedModelOutput(made.model_id, 0)])
        self.client.finalize_logged_model(made.model_id, "READY")
        return str(made.model_id)

    def _store(self, made: Any, model: StoredModel, run_id: str) -> None:
        target = local_path(made.artifact_location)
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)
            self.folder.write(target, model, made.model_id, run_id)
            return
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            self.folder.write(folder, model, made.model_id, run_id)
            self.client.log_model_artifacts(made.model_id, str(folder))


def dataset_input(item: Input) -> Any:
    """A dataset part as MLflow's record of an input."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return DatasetInput(Dataset(**dataset_record(item)), [InputTag("mlflow.data.context", item.context)])


def _rank(run: Any, metric: str, sign: int) -> float:
    """A trial's place among those of its sweep, the best first, pruned ones last."""
    pruned = run.data.tags.get("leaflab.state") == "pruned"
    return float("inf") if pruned else sign * float(run.data.metrics.get(metric, sign * float("inf")))


def _outputs(run: Any) -> Mapping[str, Any]:
    return {o.model_id: o for o in run.outputs.model_outputs} if run.outputs else {}
