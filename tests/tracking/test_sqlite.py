"""Runs written straight into the tables are, to MlflowClient, the runs its own calls would have made."""

from __future__ import annotations

import math
import shutil
import sqlite3
from pathlib import Path

import pytest

from leaflab.errors import ModelError
from leaflab.tracking import reading, tables
from leaflab.tracking.base import RunSpec
from leaflab.tracking.batch import batched
from leaflab.tracking.client import ClientWriter
from leaflab.tracking.folder import ModelFolder
from leaflab.tracking.opening import opened
from leaflab.tracking.schema import is_known
from leaflab.tracking.sqlite import SqliteWriter
from leaflab.tracking.writer import Child
from leaflab.values import Artifact, Input, Metric, Model, Param, Tag

PARTS = [
    Input("toy", d * 32, c, f"lake/dataset/toy/{c}@1", 4, {"a": "double"}) for d, c in [("0", "train"), ("1", "valid")]
]


@pytest.fixture
def both(tmp_path, store_template):
    """Two stores in folders of one length: one for the client, one for the tables."""
    made = {}
    for name in ("client", "tables"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(store_template, folder / "mlflow.db")
        uri, shared = f"sqlite:///{folder}/mlflow.db", ModelFolder(folder / "shared")
        client = opened(uri)
        direct = SqliteWriter(uri, folder / "mlflow.db", shared)
        made[name] = (ClientWriter(client, uri, shared) if name == "client" else direct, client, folder)
    return made


def story(writer, toys):
    """All that a sweep may record, with fixed times; returns the parent's id."""
    spec = RunSpec("exp é", "sweep", "sweep toy", "key", tags={"leaflab.sweep": "s", "odd key: ü": "v"})
    parent = writer.begin(spec)
    writer.log(parent, batched([Param("rounds", 3), Tag("colour", "red"), *PARTS, Artifact("a/b.txt", "hi")], 50.0))
    curve = [Metric("valid/log_loss", v, s) for v, s in [(0.5, 10), (0.3, 20), (0.4, 30)]]
    odd = [Metric("nan", math.nan), Metric("inf", math.inf), Metric("low", -math.inf), Metric("step", 2.0, 7)]
    model = Model(
        toys.constant().files(), metrics={"valid/log_loss": 0.3, "only/model": 1.0}, params={"a": 1}, example=toys.RAW
    )
    trial = [
        Param("rounds", 3),
        *curve,
        Metric("valid/log_loss", 0.3),
        *odd,
        Tag("leaflab.state", "pruned"),
        model,
        *PARTS,
    ]
    first = RunSpec("exp é", "trial", "trial 0000", "key/0", parent, {"leaflab.trial": "0"})
    second = RunSpec("exp é", "trial", "trial 0001", "key/1", parent, {"leaflab.trial": "1"})
    batch = batched(trial, 99.0)
    for _ in range(2):
        writer.children(
            parent, [Child(first, batch, "FINISHED", 90.0, 99.5), Child(second, batched([]), "FAILED", 91, 92)]
        )
    last = batched([Model(toys.constant(0.5).files(), metrics={"valid/log_loss": 0.2})], 110.0)
    for _ in range(2):
        writer.log(parent, last)
    writer.end(parent, "FINISHED", 120.0)
    writer.annotate(parent, batched([Metric("test/log_loss", 0.25), Tag("judged", "yes")], 130.0))
    for tags in ({"leaflab.sweep": "s", "odd key: ü": "v"}, {"leaflab.sweep": "t"}):
        made = writer.challenge("toy é", parent, tags)
    assert (made.name, made.number, made.run_id, made.aliases) == ("toy é", 1, parent, ("challenger",))
    assert made.tags["leaflab.sweep"] == "t"
    return parent


def view(client, folder):
    """Everything MlflowClient tells of a store, without ids and times that cannot be equal."""
    experiment = client.get_experiment_by_name("exp é")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.run_name"])
    names = {run.info.run_id: run.info.run_name for run in runs}

    def plain(text):
        for run_id, name in names.items():
            text = text.replace(run_id, f"<{name}>")
        return text.replace(str(folder), "<folder>")

    return {
        "experiment": (
            experiment.name,
            plain(experiment.artifact_location),
            experiment.tags,
            experiment.lifecycle_stage,
        ),
        "runs": [view_run(client, run, plain) for run in runs],
        "models": sorted(
            (view_model(m, plain) for m in client.search_logged_models([experiment.experiment_id])), key=str
        ),
        "registered": view_registered(client, plain),
    }


def view_registered(client, plain):
    models = client.search_registered_models()
    seen = [(m.name, m.description, m.tags, m.aliases) for m in models]
    for version in client.search_model_versions():
        location = client.get_model_version_download_uri(version.name, version.version)
        told = {k: v for k, v in vars(version).items() if "time" not in k and k not in ("_source", "_model_id")}
        same = version.source == f"models:/{Path(location).parts[-2]}" and (Path(location) / "MLmodel").is_file()
        seen.append(
            (plain(str(told)), [v.name for v in client.search_model_versions(f"run_id='{version.run_id}'")], same)
        )
    return seen


def view_run(client, run, plain):
    info, tags = run.info, {k: plain(v) for k, v in run.data.tags.items()}
    history = {
        key: sorted(
            (p.value if not math.isnan(p.value) else "nan", p.step, p.timestamp)
            for p in client.get_metric_history(info.run_id, key)
        )
        for key in run.data.metrics
        if key != "only/model"
    }
    return {
        "info": (info.run_name, info.status, info.lifecycle_stage, info.user_id, plain(info.artifact_uri)),
        "times": (info.start_time, info.end_time) if "trial" in info.run_name else info.end_time,
        "tags": tags,
        "params": run.data.params,
        "latest": {k: v for k, v in run.data.metrics.items() if not math.isnan(v)},
        "nan": [k for k, v in run.data.metrics.items() if math.isnan(v)],
        "history": history,
        "inputs": [(i.dataset.to_dictionary(), [(t.key, t.value) for t in i.tags]) for i in run.inputs.dataset_inputs],
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
        "files": [f.path for f in client.list_artifacts(info.run_id)],
    }


def view_model(model, plain):
    where = Path(plain(model.artifact_location)).parts
    return {
        "name": (model.name, plain(model.source_run_id), model.status, model.model_type, where[:-2], where[-1]),
        "params": model.params,
        "tags": {k: plain(v) for k, v in model.tags.items() if k != "leaflab.key"},
        "metrics": sorted((m.key, m.value, m.step, plain(m.run_id)) for m in model.metrics),
        "files": sorted(p.name for p in Path(model.artifact_location).rglob("*")),
    }


def test_both_ways_are_equal_to_mlflow(both, toys):
    views = {}
    for name, (writer, client, folder) in both.items():
        story(writer, toys)
        views[name] = view(client, folder)
    assert views["tables"] == views["client"]
    assert len(views["tables"]["runs"]) == 3
    assert len(views["tables"]["models"]) == 2


def test_each_way_continues_what_the_other_began(both, toys):
    for first, second in (("client", "tables"), ("tables", "client")):
        writer, client, folder = both[first]
        other = (
            SqliteWriter(writer.uri, folder / "mlflow.db", writer.folder)
            if second == "tables"
            else ClientWriter(client, writer.uri, writer.folder)
        )
        parent = story(writer, toys)
        before = view(client, folder)
        assert other.begin(RunSpec("exp é", "sweep", "sweep toy", "key", tags={})) == parent
        spec = RunSpec("exp é", "trial", "trial 0000", "key/0", parent)
        other.children(parent, [Child(spec, batched([Tag("a", "b")]), "FAILED", 1.0, 2.0)])
        other.log(parent, batched(PARTS))
        other.end(parent, "FINISHED", 120.0)
        assert view(client, folder) == before


def test_a_champion_is_not_its_own_challenger(both, toys):
    for writer, client, _ in both.values():
        parent = story(writer, toys)
        client.set_registered_model_alias("toy é", "champion", "1")
        client.delete_registered_model_alias("toy é", "challenger")
        assert writer.challenge("toy é", parent, {}).aliases == ("champion",)
        run_id = writer.begin(RunSpec("exp é", "sweep", "no model", "other"))
        with pytest.raises(ModelError, match="has no model"):
            writer.challenge("toy é", run_id, {})
        writer.log(run_id, batched([Model(toys.constant().files(), metrics={})], 140.0))
        made = writer.challenge("toy é", run_id, {})
        assert (made.number, made.aliases) == (2, ("challenger",))
        client.delete_model_version("toy é", "2")
        writer.log(run_id, batched([Model(toys.constant().files(), metrics={})], 150.0))
        assert writer.challenge("toy é", run_id, {}).number == 3


def test_a_changed_param_of_a_continued_sweep_is_told(both):
    direct, client, _ = both["tables"]
    run_id = direct.begin(RunSpec("e", "sweep", "s", "k"))
    for value in (1, 2):
        direct.log(run_id, batched([Param("leaves", value)]))
    assert client.get_run(run_id).data.params == {"leaves": "2"}
    slow, client, _ = both["client"]
    run_id = slow.begin(RunSpec("e", "sweep", "s", "k"))
    for value in (1, 2):
        slow.log(run_id, batched([Param("leaves", value), Param("other", 1)]))
    assert client.get_run(run_id).data.params == {"leaves": "1", "other": "1"}
    assert client.get_run(run_id).data.tags["param.leaves"] == "2"


def test_only_known_schemas_are_written(both, tmp_path):
    file = both["tables"][2] / "mlflow.db"
    assert is_known(file)
    assert not is_known(tmp_path / "absent.db")
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE runs ADD COLUMN surprise TEXT")
    assert not is_known(file)
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN surprise")
        connection.execute("UPDATE alembic_version SET version_num = 'f4a9b2c7d1e6'")
    assert not is_known(file)
    connection.close()


def test_reading_the_tables_gives_the_clients_records(both, toys):
    writer, client, folder = both["tables"]
    parent = story(writer, toys)
    run_ids = [r.info.run_id for r in client.search_runs([client.get_experiment_by_name("exp é").experiment_id])]
    for run_id in run_ids:
        assert repr(tables.one(folder / "mlflow.db", run_id)) == repr(reading.fetched_record(client, run_id))
    for tags in ({}, {"leaflab.verb": "trial"}, {"leaflab.verb": "trial", "leaflab.trial": "1"}, {"no": "such"}):
        for experiment in ("exp é", None, "absent"):
            direct = tables.some(folder / "mlflow.db", experiment, tags, 10)
            asked = reading.searched(client, experiment, tags, 10)
            assert sorted(map(repr, direct)) == sorted(map(repr, asked))
    assert tables.one(folder / "mlflow.db", "f" * 32) is None
    assert tables.some(folder / "mlflow.db", None, {}, 1)[0].id == parent
