"""Reading runs back: MLflow's entities as records, and their files."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ModelError
from leaflab.tracking.base import Record
from leaflab.tracking.opening import current
from leaflab.tracking.places import local_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from leaflab.scorer import Scorer

__all__ = [
    "example_of",
    "experiment_ids",
    "fetched",
    "fetched_record",
    "loaded",
    "newest_model",
    "record_of",
    "searched",
]


def record_of(run: Any, experiment: str) -> Record:
    """A run as MLflow returns it, as a record."""
    info, data = run.info, run.data
    inputs = tuple(
        {
            "name": i.dataset.name,
            "digest": i.dataset.digest,
            "context": next((t.value for t in i.tags if t.key == "mlflow.data.context"), ""),
            "source": i.dataset.source,
            "schema": i.dataset.schema or "",
        }
        for i in (run.inputs.dataset_inputs if run.inputs else ())
    )
    ended = info.end_time / 1000 if info.end_time and info.status != "RUNNING" else None
    return Record(info.run_id, experiment, info.run_name or "", info.status, info.start_time / 1000, ended,
                  dict(data.tags), dict(data.params), dict(data.metrics), inputs)  # fmt: skip


def fetched_record(client: MlflowClient, run_id: str) -> Record | None:
    """One run; None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return record_of(run, client.get_experiment(run.info.experiment_id).name)


def experiment_ids(client: MlflowClient, name: str | None) -> dict[str, str]:
    """Id to name of the active experiments: one, or all."""
    if name is not None:
        found = client.get_experiment_by_name(name)
        return {found.experiment_id: name} if found and found.lifecycle_stage == "active" else {}
    ids: dict[str, str] = {}
    token: str | None = None
    while True:
        page = client.search_experiments(max_results=1000, page_token=token)
        ids |= {e.experiment_id: e.name for e in page}
        token = page.token
        if not token:
            return ids


def searched(client: MlflowClient, experiment: str | None, tags: Mapping[str, str], limit: int) -> list[Record]:
    """Runs that carry all these tags, newest first."""
    ids = experiment_ids(client, experiment)
    query = " AND ".join(f"tags.`{k}` = {_quoted(v)}" for k, v in tags.items())
    found: list[Record] = []
    token: str | None = None
    while ids and len(found) < limit:
        page = client.search_runs(
            list(ids),
            query,
            max_results=min(1000, limit - len(found)),
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found += [record_of(run, ids[run.info.experiment_id]) for run in page]
        token = page.token
        if not token:
            break
    return found


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def newest_model(client: MlflowClient, run_id: str) -> Any | None:
    """The LoggedModel a run made last, of those that are complete and not deleted."""
    run = client.get_run(run_id)
    order = [{"field_name": "creation_time", "ascending": False}]
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'", order_by=order)
    ready = [m for m in found if str(m.status).endswith("READY")]
    return max(ready, key=lambda m: (m.creation_timestamp, m.model_id), default=None)


def fetched(client: MlflowClient, run_id: str, path: str, cache: Path) -> Path | None:
    """A run's file on this machine."""
    from mlflow.exceptions import MlflowException

    root = local_path(client.get_run(run_id).info.artifact_uri)
    if root is not None:
        return root / path if (root / path).exists() else None
    target = cache / run_id
    target.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(MlflowException, OSError):
        return Path(client.download_artifacts(run_id, path, str(target)))
    return None


def loaded(uri: str, location: str, source: str) -> Scorer:
    """The scorer of a model: read where its files lie, or fetched from the store.

    Raises:
        ModelError: its files are missing or cannot be loaded.
    """
    from leaflab.scorer import Scorer

    try:
        folder = local_path(location)
        if folder is not None:
            return Scorer.load(folder / "data")
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as scratch, current(uri):
            return Scorer.load(Path(download_artifacts(source, dst_path=scratch)) / "data")
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"The model {source}", f"cannot be loaded ({type(error).__name__}: {error})") from error


def example_of(uri: str, location: str, source: str) -> Mapping[str, list[Any]]:
    """The input example of a model, column name to values; empty where it has none."""
    from mlflow.exceptions import MlflowException

    name = "input_example.json"
    try:
        folder = local_path(location)
        if folder is None:
            from mlflow.artifacts import download_artifacts

            with tempfile.TemporaryDirectory() as scratch, current(uri):
                text = Path(download_artifacts(f"{source}/{name}", dst_path=scratch)).read_text(encoding="utf-8")
        else:
            text = (folder / name).read_text(encoding="utf-8")
        plain = json.loads(text)
        return {str(c): [row[i] for row in plain["data"]] for i, c in enumerate(plain["columns"])}
    except (OSError, KeyError, ValueError, MlflowException):
        return {}
