"""`leaflab sync` adds what is missing and repeats nothing, here and in another store."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from leaflab.app import main
from leaflab.commands.sync import copied
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.values import Artifact, Input, Metric, Model, Param

KILLED = """
import os, sys
from pathlib import Path
from leaflab.tracking.local import Local
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric
run = Local(home=Path(sys.argv[1])).start(RunSpec("toy", "sweep", "sweep killed", "killed"))
spec = RunSpec("toy", "trial", "trial 0000", "killed/0", run.id)
run.child(spec, [Metric("m", 1.0)], status="FINISHED", started=1, ended=2)
os.kill(os.getpid(), 9)
"""


def sweep(tracking, toys, trials=3, key="k"):
    with tracking.start(RunSpec("toy", "sweep", f"sweep {key}", key)) as run:
        for number in range(trials):
            spec = RunSpec(
                "toy", "trial", f"trial {number:04d}", f"{key}/{number}", run.id, {"leaflab.trial": str(number)}
            )
            loss = 1 / (2 + number)
            curve = [Metric("loss", loss + 1 / step, step) for step in (1, 2)]
            part = Input("toy", "a" * 32, "train", "lake/dataset/toy/train@0", 4, {"a": "double"})
            model = Model(toys.constant(loss).files(), metrics={"loss": loss})
            items = [Param("n", number), *curve, Metric("loss", loss), Metric("nan", float("nan")), part, model]
            run.child(spec, items, status="FINISHED", started=10.0 + number, ended=11.5 + number)
        run.log([Model(toys.boosted().files(), metrics={"loss": 0.1}, example=toys.RAW), Artifact("a/note.md", "# Hi")])
    made = tracking.registry.register("toy", run.id, {"dataset": "d"})
    tracking.registry.point("toy", "champion", made.number)
    return run.id


def view(tracking):
    """A store's contents without its ids."""
    runs = tracking.search(limit=1000)
    names = {r.id: r.name for r in runs}
    told = [
        (r.experiment, r.name, r.status, r.started, r.ended, dict(r.params), repr(sorted(r.metrics.items())),
         {k: names.get(v, v) for k, v in r.tags.items() if k not in ("leaflab.origin", "leaflab.copied")},
         [(i["name"], i["digest"], i["context"]) for i in r.inputs])
        for r in runs
    ]  # fmt: skip
    versions = [
        (v.number, names.get(v.run_id), v.aliases, {k: x for k, x in v.tags.items() if k != "leaflab.origin"})
        for v in tracking.registry.versions("toy")
    ]
    return sorted(told, key=str), versions


@pytest.fixture
def elsewhere(home, store_template):
    """An empty store beside the project."""
    folder = home / "elsewhere"
    folder.mkdir()
    shutil.copy(store_template, folder / "mlflow.db")
    return Local(home=folder)


def test_sends_what_a_killed_process_left(home, capsys):
    subprocess.run([sys.executable, "-c", KILLED, str(home)], check=False)
    assert main(["sync"]) == 0
    assert "1 unfinished run sent" in capsys.readouterr().out
    runs = Local(home=home).search("toy")
    assert {(r.name, r.status) for r in runs} == {("sweep killed", "KILLED"), ("trial 0000", "FINISHED")}
    assert main(["sync"]) == 0
    assert capsys.readouterr().out == "Nothing is unsent.\n"


def test_copies_everything_once(home, elsewhere, toys, capsys):
    tracking = Local(home=home)
    sweep(tracking, toys)
    assert main(["sync", "--to", elsewhere.uri]) == 0
    assert "4 runs, 4 models and 1 model versions copied" in capsys.readouterr().out
    assert view(elsewhere) == view(tracking)
    assert str(copied(home, elsewhere.uri)) == "0 runs, 0 models and 0 model versions copied"
    sweep(tracking, toys, trials=5)
    assert str(copied(home, elsewhere.uri)) == "3 runs, 3 models and 1 model versions copied"
    assert view(elsewhere) == view(tracking)
    champion = elsewhere.registry.version("toy", alias="champion")
    frame = toys.RAW.to_pandas()
    assert np.array_equal(elsewhere.registry.scorer(champion).score(frame), toys.boosted().score(frame))
    parent = elsewhere.get(champion.run_id)
    assert elsewhere.artifact(parent.id, "a/note.md").read_text() == "# Hi"
    assert len(elsewhere.search("toy", {"mlflow.parentRunId": parent.id})) == 5


def test_copies_from_a_folder_that_was_carried_elsewhere(home, elsewhere, toys, tmp_path_factory):
    sweep(Local(home=home), toys)
    carried = tmp_path_factory.mktemp("carried") / "project"
    shutil.copytree(home, carried, ignore=shutil.ignore_patterns("elsewhere"))
    shutil.rmtree(home / "mlartifacts")
    assert copied(carried, elsewhere.uri).models == 4
    champion = elsewhere.registry.version("toy", alias="champion")
    assert elsewhere.registry.scorer(champion)
    assert elsewhere.artifact(champion.run_id, "a/note.md").read_text() == "# Hi"


def test_an_alias_of_the_other_store_is_left_alone(home, elsewhere, toys):
    sweep(elsewhere, toys, trials=1, key="theirs")
    sweep(Local(home=home), toys, trials=1)
    result = copied(home, elsewhere.uri)
    assert result.notes == ["'toy': champion stays at version 1, which was not made here."]
    assert elsewhere.registry.version("toy", alias="champion").number == 1


def test_a_folder_without_a_store_is_a_mistake(tmp_path, capsys, home):
    (tmp_path / "empty").mkdir()
    (home / "mlflow.db").rename(home / "other.db")
    assert main(["sync", "--from", str(tmp_path / "empty"), "--to", f"sqlite:///{home}/other.db"]) == 2
    assert "no store" in capsys.readouterr().err
