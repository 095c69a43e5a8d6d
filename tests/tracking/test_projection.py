"""What was logged survives a killed process, a dead server and a record the store will not have."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leaflab.tracking import opening
from leaflab.tracking.base import RunSpec
from leaflab.tracking.batch import batched
from leaflab.tracking.keeping import Keeper
from leaflab.tracking.local import Local
from leaflab.tracking.opening import opened
from leaflab.tracking.projection import Projector
from leaflab.tracking.schema import is_known
from leaflab.tracking.spool import End, Spool, found
from leaflab.tracking.store import MlflowRun
from leaflab.tracking.writer import Child, Writer
from leaflab.values import Artifact, Input, Metric, Model, Param, Tag

SWEEPS = """
import sys, time, os
from pathlib import Path
from leaflab.tracking.keeping import Keeper
from leaflab.tracking.local import Local
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric
run = Local(home=Path(sys.argv[1])).start(RunSpec("toy", "sweep", "sweep toy", "key"))
for number in range(int(sys.argv[2])):
    spec = RunSpec("toy", "trial", f"trial {number:04d}", f"key/{number}", run.id, {"leaflab.trial": str(number)})
    run.child(spec, [Metric("valid/log_loss", 1 / (1 + number))], status="FINISHED", started=number, ended=number + 1)
    if number == 20: print("going", flush=True)
os.kill(os.getpid(), 9)
"""


class Moody(Writer):
    """A store that can be down, and that refuses what is called `bad`; it keeps what it gets."""

    def __init__(self) -> None:
        self.down = False
        self.children_of: dict[str, list[str]] = {}
        self.batches: list = []
        self.ends: list = []

    def begin(self, spec, handed="", started=None, run_id=""):
        self._check()
        return f"run-{spec.key}"

    def log(self, run_id, batch):
        self._check()
        if "bad" in batch.tags:
            raise ValueError("no such tag")
        self.batches.append(batch)

    def annotate(self, run_id, batch):
        self.log(run_id, batch)

    def children(self, parent, children):
        self._check()
        if any("bad" in c.batch.tags for c in children):
            raise ValueError("no such tag")
        self.children_of.setdefault(parent, []).extend(c.spec.key for c in children)

    def finished(self, parent):
        return set()

    def thin(self, parent, keep):
        raise AssertionError("nothing was to be thinned")

    def challenge(self, name, run_id, tags):
        raise AssertionError("nothing was to be registered")

    def end(self, run_id, status, ended):
        self._check()
        self.ends.append((run_id, status))

    def _check(self):
        if self.down:
            raise ConnectionError("Connection refused")


@pytest.fixture
def moody(tmp_path, monkeypatch):
    """A projector on a moody store, quick to lose patience."""
    monkeypatch.setattr(Projector, "patience", 0.6)
    store = Moody()
    return store, Projector("http://moody:5000", tmp_path / ".leaflab" / "spool", lambda: store)


def start(projector, key="k"):
    return MlflowRun(projector.begin(RunSpec("e", "sweep", f"sweep {key}", key)), projector, Keeper())


def child(run, key, items=()):
    run.child(RunSpec("e", "trial", key, key, run.id), items, status="FINISHED", started=1, ended=2)


def test_a_dead_store_holds_nothing_up_and_gets_everything_when_it_answers(moody, caplog):
    store, projector = moody
    run = start(projector)
    store.down = True
    with caplog.at_level(logging.WARNING, "leaflab"):
        before = time.monotonic()
        for number in range(50):
            child(run, str(number))
        assert time.monotonic() - before < 5
        while not caplog.records:
            time.sleep(0.01)
    assert "does not answer" in caplog.text
    store.down = False
    run.end("FINISHED")
    assert store.children_of == {"run-k": [str(n) for n in range(50)]}
    assert store.ends == [("run-k", "FINISHED")]
    assert list(found(projector._root)) == []


def test_what_a_dead_store_never_took_waits_on_disk(moody, tmp_path, caplog):
    store, projector = moody
    run = start(projector)
    store.down = True
    child(run, "a")
    run.log([Artifact("bytes", b"\x00\xff"), Param("p", 1)])
    run.end("FINISHED")
    assert "`leaflab sync`" in caplog.text
    store.down = False
    later = Projector("http://moody:5000", tmp_path / ".leaflab" / "spool", lambda: store)
    assert later.recover() == 1
    assert later.flush()
    assert store.children_of == {"run-k": ["a"]}
    assert store.ends == [("run-k", "FINISHED")]
    assert later.recover() == 0
    assert not projector.uri.startswith("local")


def test_a_refused_record_is_set_aside_and_the_rest_goes_on(moody, caplog):
    store, projector = moody
    run = start(projector)
    for key in ("a", "bad", "b"):
        child(run, key, [Tag(key, "x")])
    run.log([Tag("bad", "x")])
    run.log([Tag("good", "x")])
    run.end("FINISHED")
    assert store.children_of == {"run-k": ["a", "bad", "b"]}, "the refused one is ended without its items"
    assert [b.tags for b in store.batches] == [{"good": "x"}]
    kept = (projector._root / "refused" / "run-k.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in kept] == ["no such tag", "no such tag"]
    assert "refuses a record" in caplog.text


def test_passwords_stay_out_of_the_spool(tmp_path):
    projector = Projector("http://me:hunter2@host", tmp_path / ".leaflab" / "spool", Moody)
    run = start(projector)
    assert "hunter2" not in "".join(p.read_text() for p in projector._root.rglob("*") if p.is_file())
    run.end("FINISHED")


def test_a_spool_gives_back_what_was_put_in(tmp_path, toys):
    spool = Spool.create(tmp_path, {"uri": "local", "run_id": "r", "experiment": "e", "name": "n"})
    model = Model(toys.boosted().files(), metrics={"m": 1.0}, params={"p": 2}, example=toys.RAW)
    items = [
        Param("p", 1),
        Metric("m", float("inf"), 3),
        Tag("t", "v"),
        Input("d", "0" * 32, "train", "s", 3, {"a": "double"}),
        model,
    ]
    batch = batched([*items, Artifact("a.txt", "text")], 12.5)
    child = Child(RunSpec("e", "trial", "t", "k", "r", {"x": "y"}), batch, "FINISHED", 1.5, 2.5)
    for op in (batch, child, End("KILLED", 3.5)):
        spool.append(op)
    assert [op for op, _ in spool.read(10)] == [batch, child, End("KILLED", 3.5)]
    spool.ack(spool.read(1)[0][1])
    assert [op for op, _ in spool.read(10)] == [child, End("KILLED", 3.5)]
    assert Spool.reopen(spool.folder) is None
    spool.close(remove=False)
    with (spool.folder / "log.jsonl").open("ab") as file:
        file.write(b'{"log": {"at": 1, "par')
    again = Spool.reopen(spool.folder)
    assert [op for op, _ in again.read(10)] == [child, End("KILLED", 3.5), None]
    again.append(End("FINISHED", 4.5))
    assert [op for op, _ in again.read(10)][-1] == End("FINISHED", 4.5)
    again.close(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_vanish_once_it_is_logged(home):
    source = home / "plot.png"
    source.write_bytes(b"\x89PNG")
    tracking = Local(home=home)
    with tracking.start(RunSpec("toy", "sweep", "s")) as run:
        run.log([Artifact("plot.png", source)])
        source.unlink()
    assert tracking.artifact(run.id, "plot.png").read_bytes() == b"\x89PNG"


@pytest.mark.parametrize("count", [200])
def test_a_killed_sweep_is_recorded_to_the_last_trial_and_left_running_nowhere(home, count):
    process = subprocess.Popen([sys.executable, "-c", SWEEPS, str(home), str(count)], stdout=subprocess.PIPE, text=True)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    tracking = Local(home=home)
    tracking.projector.recover()
    trials = tracking.search("toy", {"leaflab.verb": "trial"})
    assert sorted(int(t.tags["leaflab.trial"]) for t in trials) == list(range(count))
    assert {t.status for t in trials} == {"FINISHED"}
    assert [(r.name, r.status) for r in tracking.search("toy", {"leaflab.verb": "sweep"})] == [("sweep toy", "KILLED")]
    assert not list((home / ".leaflab" / "spool").iterdir())


def test_a_sweep_killed_at_any_moment_continues_as_one(home):
    for moment in (0.0, 0.15, 0.3):
        process = subprocess.Popen([sys.executable, "-c", SWEEPS, str(home), "400"], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(moment)
        process.kill()
        process.communicate()
    tracking = Local(home=home)
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "key")) as run:
        for number in range(400):
            child = RunSpec(
                "toy", "trial", f"trial {number:04d}", f"key/{number}", run.id, {"leaflab.trial": str(number)}
            )
            run.child(child, [Metric("valid/log_loss", 0.5)], status="FINISHED", started=number, ended=number + 1)
    trials = tracking.search("toy", {"leaflab.verb": "trial"})
    assert sorted(int(t.tags["leaflab.trial"]) for t in trials) == list(range(400))
    assert all("valid/log_loss" in t.metrics for t in trials)
    assert [(r.name, r.status) for r in tracking.search("toy", {"leaflab.verb": "sweep"})] == [
        ("sweep toy", "FINISHED")
    ]


@pytest.mark.slow
def test_sixteen_processes_at_once_on_a_fresh_store(tmp_path):
    """MLflow's own first use breaks when two processes create the database at the same time."""
    script = SWEEPS.replace("os.kill(os.getpid(), 9)", 'run.end("FINISHED")').replace('"key"', 'f"key {os.getpid()}"')
    environment = os.environ | {"LEAFLAB_HOME": str(tmp_path)}
    words = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path), "25"]
    all_ = [
        subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
        for _ in range(16)
    ]
    errors = [p.communicate(timeout=300)[1] for p in all_]
    assert [p.returncode for p in all_] == [0] * 16, "\n".join(errors)
    assert not any("locked" in e for e in errors)
    tracking = Local(home=tmp_path)
    assert len(tracking.search("toy", {"leaflab.verb": "sweep"})) == 16
    assert len(tracking.search("toy", {"leaflab.verb": "trial"})) == 400
    assert {r.status for r in tracking.search("toy")} == {"FINISHED"}
    assert Path(tmp_path / "mlflow.db").exists()


def test_a_store_made_ahead_is_the_one_the_first_run_finds(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking = Local(home=tmp_path)
    with tracking.ahead():
        with tracking.start(RunSpec("toy", "prepare", "p")) as first:
            first.log([Tag("colour", "red")])
        assert not is_known(tmp_path / "mlflow.db")  # the run has ended, and nothing waited for the store
        with tracking.start(RunSpec("toy", "sweep", "s")) as second:
            second.child(RunSpec("toy", "trial", "t", "k/0"), [], status="FINISHED", started=1.0, ended=2.0)
    client = opened(tracking.uri)
    for run in (first, second):
        assert client.get_run(run.id).info.status == "FINISHED"
    assert [r.tags["mlflow.parentRunId"] for r in tracking.search("toy", {"leaflab.verb": "trial"})] == [second.id]
    assert not any(tmp_path.glob(".leaflab/spool/*-*"))
    with tracking.ahead(), tracking.start(RunSpec("toy", "sweep", "s")) as third:
        pass
    assert tracking.get(third.id).status == "FINISHED"


def test_a_store_whose_maker_is_killed_is_made_all_the_same(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking = Local(home=tmp_path)
    with tracking.ahead(), tracking.start(RunSpec("toy", "sweep", "s")) as run:
        os.kill(opening._makers[tracking.uri].pid, signal.SIGKILL)
    assert opened(tracking.uri).get_run(run.id).info.status == "FINISHED"
