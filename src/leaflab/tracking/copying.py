"""Copying a local store's runs, models and versions into any other store; repeating it adds what is missing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaflab.tracking.address import is_server
from leaflab.tracking.batch import Batch, Point
from leaflab.tracking.client import ClientWriter
from leaflab.tracking.places import local_path
from leaflab.tracking.registering import copy_versions
from leaflab.tracking.schema import connected
from leaflab.tracking.writer import PARENT
from leaflab.values import Artifact, Input

__all__ = ["Copied", "Source", "copy"]

ORIGIN, STAMP = "leaflab.origin", "leaflab.copied"


@dataclass
class Copied:
    """What a copy did: counts, and sentences on what it left as it was."""

    runs: int = 0
    models: int = 0
    versions: int = 0
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.models} models and {self.versions} model versions copied"


@dataclass(frozen=True)
class Source:
    """A local store, read directly; its folder may have moved since it was written."""

    home: Path

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = connected(self.home / "mlflow.db")
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def folder(self, location: str) -> Path | None:
        """Where files lie now."""
        path = local_path(location)
        if path is None or path.exists():
            return path
        inside = location.partition("/mlartifacts/")[2]
        moved = self.home / "mlartifacts" / inside
        return moved if inside and moved.exists() else None


def copy(source: Source, target: ClientWriter, experiment: str | None = None) -> Copied:
    """Copies every run of the active experiments (or of one), parents first, then models and the registry.

    Args:
        source: what is copied.
        target: where to; runs that came from here carry `leaflab.origin`, the source's run id.
        experiment: only this experiment, and the registered models that its runs made.
    """
    done, known = Copied(), _Known(target)
    query = (
        "SELECT r.run_uuid, e.name, r.name, r.status, r.start_time, r.end_time, r.artifact_uri, p.value"
        " FROM runs r JOIN experiments e USING (experiment_id)"
        " LEFT JOIN tags p ON p.run_uuid = r.run_uuid AND p.key = ?"
        " WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'"
        " ORDER BY p.value IS NOT NULL, r.start_time"
    )
    runs = [row for row in source.rows(query, PARENT) if experiment in (None, row[1])]
    above = {row[0] for row in runs if row[7] is None}
    for generation in ([r for r in runs if r[0] in above], [r for r in runs if r[0] not in above]):
        with ThreadPoolExecutor(8 if is_server(target.uri) else 1) as pool:
            for fresh, models in pool.map(lambda row: _run(source, target, known, row), generation):
                done.runs += fresh
                done.models += models
    copy_versions(source, target.client, target.uri, known.models, done)
    return done


class _Known:
    """Source id to target id of runs and models, read from the target once an experiment."""

    def __init__(self, target: ClientWriter) -> None:
        self._target = target
        self.runs: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self.stamps: dict[str, str] = {}
        self._read: set[str] = set()

    def read(self, name: str) -> str:
        experiment_id = self._target.experiment(name)
        if experiment_id not in self._read:
            self._read.add(experiment_id)
            client = self._target.client
            for run in _pages(
                lambda token: client.search_runs([experiment_id], f"tags.`{ORIGIN}` != ''", page_token=token)
            ):
                self.runs[run.data.tags[ORIGIN]] = run.info.run_id
                self.stamps[run.data.tags[ORIGIN]] = run.data.tags.get(STAMP, "")
            for model in _pages(
                lambda token: client.search_logged_models([experiment_id], f"tags.`{ORIGIN}` != ''", page_token=token)
            ):
                if model.status == "READY":
                    self.models[model.tags[ORIGIN]] = model.model_id
        return experiment_id


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _run(source: Source, target: ClientWriter, known: _Known, row: Sequence[Any]) -> tuple[int, int]:
    """Copies one run with its models; (1, models) where something was to do."""
    run_id, experiment, name, status, started, ended, artifacts, _ = row
    experiment_id = known.read(experiment)
    counts = source.rows("SELECT count(*), max(timestamp) FROM metrics WHERE run_uuid = ?", run_id)[0]
    stamp = f"{status} {ended or ''} {counts[0]} {counts[1]}"
    if known.stamps.get(run_id) == stamp:
        return 0, 0
    tags = dict(source.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))
    tags = {key: known.runs.get(value, value) for key, value in tags.items()}
    if run_id not in known.runs:
        made = target.client.create_run(experiment_id, started, {**tags, ORIGIN: run_id}, name)
        known.runs[run_id] = made.info.run_id
    new = known.runs[run_id]
    models = _models(source, target, known, run_id, tags)
    params = dict(source.rows("SELECT key, value FROM params WHERE run_uuid = ?", run_id))
    files = _files(source.folder(artifacts))
    target.log(new, Batch(0, params, [], tags, _inputs(source, run_id), files))
    target.log_points(new, _points(source, run_id, known.models))
    if status != "RUNNING":
        target.client.set_terminated(new, status, ended)
    target.client.set_tag(new, STAMP, stamp)
    return 1, models


def _points(source: Source, run_id: str, models: Mapping[str, str]) -> list[tuple[Point, str | None]]:
    query = "SELECT metric_name, metric_timestamp_ms, metric_step, model_id FROM logged_model_metrics WHERE run_id = ?"
    owners = {row[:3]: row[3] for row in source.rows(query, run_id)}
    query = "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END, timestamp, step FROM metrics WHERE run_uuid = ?"
    points = [Point(key, float("nan") if v is None else v, at, step) for key, v, at, step in source.rows(query, run_id)]
    return [(p, models.get(owners.get((p.key, p.time, p.step), ""))) for p in points]


def _inputs(source: Source, run_id: str) -> list[Input]:
    query = (
        "SELECT d.name, d.digest, t.value, d.dataset_source, d.dataset_schema, d.dataset_profile FROM inputs i"
        " JOIN datasets d ON d.dataset_uuid = i.source_id"
        " LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'"
        " WHERE i.source_type = 'DATASET' AND i.destination_id = ? ORDER BY i.rowid"
    )
    found = []
    for name, digest, context, where, schema, profile in source.rows(query, run_id):
        columns = json.loads(schema or "{}").get("mlflow_colspec", [])
        kinds = {c["name"]: c["type"] for c in columns}
        rows = json.loads(profile or "{}").get("num_rows", 0)
        found.append(Input(name, digest, context or "", json.loads(where).get("uri", ""), rows, kinds))
    return found


def _files(folder: Path | None) -> list[Artifact]:
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder and folder.is_dir() else []
    return [Artifact(str(p.relative_to(folder)), p) for p in files if folder]


def _models(source: Source, target: ClientWriter, known: _Known, run_id: str, tags: Mapping[str, str]) -> int:
    query = (
        "SELECT model_id, name, artifact_location, model_type FROM logged_models"
        " WHERE source_run_id = ? AND status = 2 AND lifecycle_stage = 'active'"
        " ORDER BY creation_timestamp_ms, model_id"
    )
    count = 0
    for model_id, name, location, kind in source.rows(query, run_id):
        folder = source.folder(location)
        if model_id in known.models or folder is None or not folder.is_dir():
            continue
        known.models[model_id] = _model(source, target, (model_id, name, kind, folder), (run_id, known))
        count += 1
    return count


def _model(source: Source, target: ClientWriter, model: tuple[str, str, str, Path], owner: tuple[str, _Known]) -> str:
    from mlflow.entities import LoggedModelOutput

    (model_id, name, kind, folder), (run_id, known) = model, owner
    new, client = known.runs[run_id], target.client
    experiment_id = client.get_run(new).info.experiment_id
    tags = dict(source.rows("SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?", model_id))
    params = dict(source.rows("SELECT param_key, param_value FROM logged_model_params WHERE model_id = ?", model_id))
    made = client.create_logged_model(experiment_id, name, new, {**tags, ORIGIN: model_id}, params, kind)
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "model"
        shutil.copytree(folder, copied)
        text = (copied / "MLmodel").read_text(encoding="utf-8")
        text = text.replace(model_id, made.model_id).replace(run_id, new)
        (copied / "MLmodel").write_text(text, encoding="utf-8")
        place = local_path(made.artifact_location)
        if place is None:
            client.log_model_artifacts(made.model_id, str(copied))
        else:
            shutil.copytree(copied, place, dirs_exist_ok=True)
    client.log_outputs(new, [LoggedModelOutput(made.model_id, 0)])
    client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)
