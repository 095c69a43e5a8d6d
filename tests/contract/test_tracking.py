"""Every option of `conf/tracking` keeps the contract of tracking, on a real store."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from leaflab.errors import CheckFailed, Interrupted, ModelError, TrackingError
from leaflab.scorer import Scorer
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Input, Metric, Model, Param, Tag

FOLDER = Path(__file__).parents[2] / "conf" / "tracking"
OPTIONS = sorted(FOLDER.glob("*.yaml"))
PART = Input("toy", "0" * 32, "train", "lake/dataset/toy/train@0", 4, {"a": "number"})


def test_there_are_options_to_check():
    assert len(OPTIONS) >= 3


@pytest.fixture(params=OPTIONS, ids=lambda p: p.stem)
def make(request, home):
    """Builds the option; calling it again gives a second, equal one."""
    plain = yaml.safe_load(request.param.read_text(encoding="utf-8"))
    module, _, name = plain.pop("_target_").rpartition(".")
    plain |= {"home": home} if "home" in plain else {}
    plain |= {"uri": request.getfixturevalue("mlflow_server")} if request.param.stem == "server" else {}
    return getattr(importlib.import_module(module), name)(**plain)


@pytest.fixture
def experiment(request):
    return f"exp {abs(hash(request.node.nodeid)) % 10**8} {time.time_ns()}"


def spec(experiment, **changes):
    return RunSpec(**{"experiment": experiment, "verb": "sweep", "name": "sweep toy", **changes})


def test_constructing_opens_nothing(make, home, monkeypatch):
    before = {p.name for p in home.iterdir()}
    assert make.uri
    assert {p.name for p in home.iterdir()} == before


def test_what_is_logged_is_read_back(make, experiment, home):
    source = home / "report.html"
    source.write_text("<p>hi</p>")
    with make.start(spec(experiment, tags={"leaflab.sweep": "s1"})) as run:
        run.log([Param("rounds", 10), Tag("colour", "green"), PART])
        run.log(Metric("train/log_loss", value, step) for step, value in enumerate([0.7, 0.5, 0.4]))
        run.log([Metric("valid/log_loss", 0.5), Artifact("note.md", "# Hi"), Artifact("a/report.html", source)])
    found = make.get(run.id)
    assert (found.status, found.name, found.experiment) == ("FINISHED", "sweep toy", experiment)
    assert found.params == {"rounds": "10"}
    assert found.metrics == {"train/log_loss": 0.4, "valid/log_loss": 0.5}
    assert {"colour": "green", "leaflab.sweep": "s1", "leaflab.verb": "sweep"}.items() <= found.tags.items()
    assert [(i["name"], i["digest"], i["context"]) for i in found.inputs] == [("toy", "0" * 32, "train")]
    assert make.artifact(run.id, "note.md").read_text() == "# Hi"
    assert make.artifact(run.id, "a/report.html").read_text() == "<p>hi</p>"
    assert make.artifact(run.id, "absent.txt") is None
    assert found.started <= found.ended <= time.time() + 1


def test_the_final_value_is_shown_and_not_the_last_of_its_curve(make, experiment):
    with make.start(spec(experiment)) as run:
        run.log(
            [
                *(Metric("valid/log_loss", v, s) for s, v in [(10, 0.5), (20, 0.3), (30, 0.4)]),
                Metric("valid/log_loss", 0.3),
            ]
        )
    assert make.get(run.id).metrics == {"valid/log_loss": 0.3}


def test_the_same_key_continues_the_same_run(make, experiment):
    first = make.start(spec(experiment, key="k"))
    first.log([Metric("a", 1.0)])
    first.end("KILLED")
    assert make.get(first.id).status == "KILLED"
    again = make.start(spec(experiment, key="k"))
    assert again.id == first.id
    assert make.get(again.id).status == "RUNNING"
    assert make.get(again.id).ended is None
    again.end("FINISHED")
    assert make.start(spec(experiment, key="other")).id != first.id
    assert make.get(first.id).status == "FINISHED"


def test_children_are_recorded_whole_and_once(make, experiment, toys):
    run = make.start(spec(experiment, key="parent"))
    model = Model(toys.constant().files(), metrics={"valid/log_loss": 0.4}, example=toys.RAW)
    items = [Param("rounds", 3), Metric("valid/log_loss", 0.4), model, PART]
    for _ in range(2):
        child = RunSpec(experiment, "trial", "trial 0000", "parent/0", run.id, {"leaflab.trial": "0"})
        run.child(child, items, status="FINISHED", started=100.0, ended=103.5)
    run.child(RunSpec(experiment, "trial", "trial 0001", "parent/1", run.id), [], status="FAILED", started=1, ended=2)
    run.end("FINISHED")
    again = make.start(spec(experiment, key="parent"))
    again.child(
        RunSpec(experiment, "trial", "trial 0000", "parent/0", run.id), items, status="FINISHED", started=1, ended=2
    )
    again.end("FINISHED")
    found = make.search(experiment, {"leaflab.verb": "trial", "mlflow.parentRunId": run.id})
    assert [(r.name, r.status, r.started, r.ended) for r in found] == [
        ("trial 0000", "FINISHED", 100.0, 103.5),
        ("trial 0001", "FAILED", 1.0, 2.0),
    ]
    assert found[0].params == {"rounds": "3"}
    assert found[0].metrics == {"valid/log_loss": 0.4}
    assert found[0].inputs
    assert make.scorer(found[0].id).predictor.answer == (0.75, 0.25)
    assert make.scorer(found[1].id) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [(Interrupted("The sweep", "was stopped"), "KILLED"), (KeyboardInterrupt(), "KILLED"), (ValueError("no"), "FAILED"),
     (CheckFailed("The gate", "said no"), "FINISHED")],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_the_status_tells_how_it_ended(make, experiment, error, status):
    run = make.start(spec(experiment))
    with pytest.raises(type(error)), run:
        raise error
    assert make.get(run.id).status == status
    if status == "FAILED":
        assert "ValueError: no" in make.artifact(run.id, "traceback.txt").read_text()
        assert make.get(run.id).tags["leaflab.error"] == "no"


def test_what_mlflow_refuses_is_kept(make, experiment):
    long = "x" * 100_000
    with make.start(spec(experiment)) as run:
        run.log([Param("long", long), Metric("ndcg@5", 1.0), Metric("nan", float("nan")), Metric("inf", float("inf"))])
        run.log([Metric(f"many/{i}", float(i)) for i in range(5000)])
        run.log([Param(f"p{i}", i) for i in range(250)])
        run.log([Tag("k" * 400, "v")])
        run.log([Artifact("config.yaml", "uri: postgresql://me:hunter2@host/db"), Tag("url", "http://me:hunter2@h")])
    found = make.get(run.id)
    assert len(found.params["long"]) <= 6000
    assert make.artifact(run.id, "params/long.txt").read_text() == long
    assert found.metrics["ndcg_5"] == 1.0
    assert np.isnan(found.metrics["nan"])
    assert found.metrics["inf"] >= 1e308
    assert found.metrics["many/4999"] == 4999.0
    assert found.params["p249"] == "249"
    assert any(key.startswith("k" * 200) for key in found.tags)
    assert "hunter2" not in make.artifact(run.id, "config.yaml").read_text() + found.tags["url"]


def test_texts_no_database_holds_are_kept_readable(make, experiment, tmp_path):
    with make.start(spec(experiment, name="a\x00\ud800", tags={"t": "\x00"})) as run:
        run.log([Param("p", "a\x00b"), Param("\x00", "c"), Tag("half", "\ud800"), Artifact("../../up.txt", "\udfff")])
    found = make.get(run.id)
    assert (found.name, found.tags["t"], found.tags["half"]) == ("a\ufffd\ufffd", "\ufffd", "\ufffd")
    assert found.params == {"p": "a\ufffdb", "_": "c"}
    assert make.artifact(run.id, "up.txt").read_text(encoding="utf-8") == "\ufffd"


def test_searches_by_tags_newest_first(make, experiment):
    for number in range(3):
        make.start(spec(experiment, name=str(number), tags={"colour": "red" if number else "it's blue"})).end(
            "FINISHED"
        )
        time.sleep(0.002)
    assert [r.name for r in make.search(experiment, {"colour": "red"})] == ["2", "1"]
    assert [r.name for r in make.search(experiment, {"colour": "it's blue"})] == ["0"]
    assert len(make.search(experiment, limit=2)) == 2
    assert make.search("no such experiment") == []
    assert make.get("f" * 32) is None


def test_versions_aliases_and_tags(make, experiment, toys):
    registry = make.registry
    assert registry.versions(experiment) == []
    assert registry.version(experiment, alias="champion") is None
    assert registry.model_tags(experiment) == {}
    for share in (0.1, 0.9):
        with make.start(spec(experiment)) as run:
            run.log([Model(toys.constant(share).files(), metrics={"valid/log_loss": share})])
        made = registry.register(experiment, run.id, {"dataset": "d"})
        assert registry.register(experiment, run.id, {"again": "yes"}).number == made.number
    assert [v.number for v in registry.versions(experiment)] == [1, 2]
    registry.point(experiment, "champion", 1)
    registry.point(experiment, "champion", 2)
    registry.point(experiment, "challenger", 1)
    champion = registry.version(experiment, alias="champion")
    assert (champion.number, champion.run_id, champion.aliases) == (2, run.id, ("champion",))
    assert {"dataset": "d", "again": "yes", "valid/log_loss": "0.9"}.items() <= champion.tags.items()
    assert [v.aliases for v in registry.versions(experiment)] == [("challenger",), ("champion",)]
    registry.point(experiment, "challenger", None)
    assert registry.version(experiment, alias="challenger") is None
    assert registry.version(experiment, number=3) is None
    registry.tag(experiment, 1, {"verdict": "passed"})
    registry.tag(experiment, None, {"ledger": "abc"})
    assert registry.version(experiment, number=1).tags["verdict"] == "passed"
    assert registry.model_tags(experiment)["ledger"] == "abc"
    assert registry.scorer(champion).predictor.answer == pytest.approx((0.1, 0.9))
    with make.start(spec(experiment)) as run:
        pass
    with pytest.raises(ModelError, match="has no model to register"):
        registry.register(experiment, run.id, {})


def test_a_run_handed_over_is_adopted_and_a_known_one_is_continued(make, experiment, monkeypatch):
    if make.uri == "memory:":
        pytest.skip("nobody hands runs to a store that lives in this process")
    handed = make.start(spec(experiment, verb="", name="from mlflow run"))
    monkeypatch.setenv("MLFLOW_RUN_ID", handed.id)
    run = make.start(spec(experiment, key="adopted", adopt=True))
    assert run.id == handed.id
    assert "MLFLOW_RUN_ID" not in os.environ
    run.end("KILLED")
    other = make.start(spec(experiment, verb="", name="from mlflow run"))
    monkeypatch.setenv("MLFLOW_RUN_ID", other.id)
    again = make.start(spec(experiment, key="adopted", adopt=True))
    again.end("FINISHED")
    assert again.id == handed.id
    assert make.get(other.id).tags["leaflab.continues"] == handed.id
    assert {r.status for r in make.search(experiment)} == {"FINISHED"}


def test_a_model_answers_as_it_did(make, experiment, toys):
    scorer = toys.boosted()
    with make.start(spec(experiment)) as run:
        run.log([Model(scorer.files(), metrics={"valid/log_loss": 0.5}, params={"rounds": 3}, example=toys.RAW)])
    made = make.registry.register(experiment, run.id, {})
    frame = toys.RAW.to_pandas()
    for loaded in (make.scorer(run.id), make.registry.scorer(made)):
        assert isinstance(loaded, Scorer)
        assert np.array_equal(loaded.score(frame), scorer.score(frame))


def test_a_later_verb_adds_to_an_ended_run_and_its_model(make, experiment, toys):
    with make.start(spec(experiment)) as run:
        run.log([Model(toys.constant().files(), metrics={"valid/log_loss": 0.5})])
    before = make.get(run.id)
    make.annotate(run.id, [Metric("test/log_loss", 0.6), Tag("judged", "yes")])
    after = make.get(run.id)
    assert after.metrics == {"valid/log_loss": 0.5, "test/log_loss": 0.6}
    assert after.tags["judged"] == "yes"
    assert (after.status, after.ended) == (before.status, before.ended)
    assert make.registry.register(experiment, run.id, {}).tags["test/log_loss"] == "0.6" or make.uri == "memory:"
    with pytest.raises(TrackingError, match="is not in"):
        make.annotate("f" * 32, [])
