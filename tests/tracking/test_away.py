"""A server that is away when a run begins holds nothing up: it gets everything when it is back."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leaflab.app import main
from leaflab.errors import TrackingError
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.tracking.server import Server
from leaflab.values import Artifact, Metric, Model, Param

SWEEP = ["dataset.target=y", "search.trials=4", "model.max_rounds=5", "prepare.leaks=warn"]


@pytest.fixture
def away(tmp_path, mlflow_server, store_template, monkeypatch):
    """A server that has not been started yet; its address is in the environment."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(store_template, folder / "mlflow.db")
    server = mlflow_server(folder, f"sqlite:///{folder}/mlflow.db", folder / "files")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("LEAFLAB_HOME", str(home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    yield server
    server.stop()


def recorded(tracking, toys):
    """A run with a trial and a model, as a sweep makes it."""
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "key", tags={"colour": "green"})) as run:
        child = RunSpec("toy", "trial", "trial 0000", "key/0", tags={"leaflab.trial": "0"})
        run.child(child, [Param("p", 1), Metric("loss", 0.5)], status="FINISHED", started=1.0, ended=2.0)
        run.log([Metric("loss", 0.4), Artifact("note.md", "# Hi"), Model(toys.boosted().files())])
        version = run.register("toy", {"leaflab.sweep": "s"})
    return run, version


def test_a_run_begins_in_its_spool_and_says_so(tmp_path, toys, free_port, caplog):
    tracking = Server(home=tmp_path, uri=f"http://127.0.0.1:{free_port}")
    with caplog.at_level(logging.WARNING, "leaflab"):
        run, version = recorded(tracking, toys)
    assert version is None
    assert len(run.id) == 32
    said = [r.message for r in caplog.records if r.name.startswith("leaflab")]
    assert "does not answer" in said[0]
    assert "`leaflab sync` sends it later" in said[1]
    assert len(said) == 2
    with pytest.raises(TrackingError, match="does not answer"):
        tracking.get(run.id)


@pytest.mark.slow
def test_sync_sends_what_began_without_its_server_once(away, toys, tmp_path, capsys):
    tracking = Server(home=tmp_path / "home")
    recorded(tracking, toys)
    early = subprocess.run([sys.executable, "-m", "leaflab", "sync"], capture_output=True, text=True, check=False)
    assert (early.returncode, "stays unsent" in early.stderr) == (2, True)
    away.start()
    assert main(["sync"]) == 0
    assert "1 unfinished run sent" in capsys.readouterr().out
    assert main(["sync"]) == 0
    assert "Nothing is unsent" in capsys.readouterr().out
    (sweep,) = tracking.search("toy", {"leaflab.verb": "sweep"})
    assert (sweep.status, sweep.metrics["loss"], sweep.tags["colour"]) == ("FINISHED", 0.4, "green")
    assert sweep.started <= sweep.ended
    assert tracking.artifact(sweep.id, "note.md").read_text() == "# Hi"
    (trial,) = tracking.search("toy", {"leaflab.verb": "trial"})
    assert (trial.tags["mlflow.parentRunId"], trial.params) == (sweep.id, {"p": "1"})
    (version,) = tracking.registry.versions("toy")
    assert (version.run_id, version.aliases) == (sweep.id, ("challenger",))
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "key")) as again:
        assert again.id == sweep.id


@pytest.mark.slow
def test_what_waits_for_a_mistyped_address_is_sent_to_the_right_one(
    tmp_path, toys, free_port, store_template, monkeypatch, capsys
):
    shutil.copy(store_template, tmp_path / "mlflow.db")
    monkeypatch.setenv("LEAFLAB_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    wrong = f"http://127.0.0.1:{free_port}"
    code = (
        "import sys; sys.path[:0] = sys.argv[1:2]; from pathlib import Path; import models, test_away;"
        "from leaflab.tracking.server import Server;"
        "test_away.recorded(Server(home=Path(sys.argv[2]), uri=sys.argv[3]), models)"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path), wrong], check=True)
    assert main(["sync"]) == 0
    assert f"leaflab sync --instead-of {wrong}" in capsys.readouterr().out
    for told in ("1 unfinished run sent", "Nothing is unsent"):
        assert main(["sync", "--instead-of", wrong]) == 0
        assert told in capsys.readouterr().out
    tracking = Local(home=tmp_path)
    assert [r.status for r in tracking.search("toy")] == ["FINISHED"] * 2
    assert tracking.registry.version("toy", alias="challenger").number == 1


def test_a_server_that_comes_in_mid_run_is_taken_up(away, toys, tmp_path):
    tracking = Server(home=tmp_path / "home")
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "key")) as run:
        own = run.id
        away.start()
        assert tracking.projector.flush()
        assert run.id != own
        run.log([Model(toys.boosted().files())])
        assert run.register("toy", {}).number == 1
    assert tracking.get(run.id).status == "FINISHED"


@pytest.mark.slow
def test_a_sweep_killed_without_its_server_continues_as_one(away, tmp_path):
    script = (
        "import os\nfrom leaflab.tracking.server import Server; from leaflab.tracking.base import RunSpec\n"
        "from leaflab.values import Metric\n"
        "run = Server(home='.').start(RunSpec('toy', 'sweep', 'sweep toy', 'key'))\n"
        "run.child(RunSpec('toy', 'trial', 't', 'key/0'), [Metric('m', 1.0)], status='FINISHED', started=1, ended=2)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    tracking = Server(home=tmp_path / "home")
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "key")) as run:
        away.start()
        trial = RunSpec("toy", "trial", "t", "key/0")
        run.child(trial, [Metric("m", 1.0)], status="FINISHED", started=1, ended=2)
    assert [(r.tags["leaflab.verb"], r.status) for r in tracking.search("toy")] == [
        ("sweep", "FINISHED"), ("trial", "FINISHED")
    ]  # fmt: skip


@pytest.mark.slow
def test_a_whole_sweep_without_its_server(away, tmp_path):
    lines = [f"{i % 7},{i % 5},{i % 2}" for i in range(200)]
    (tmp_path / "in.csv").write_text("\n".join(["a,b,y", *lines]))
    words = [sys.executable, "-m", "leaflab"]
    done = subprocess.run(
        [*words, "sweep", f"source.path={tmp_path}/in.csv", *SWEEP],
        env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Not registered yet" in done.stdout
    assert "is unsent" in done.stderr
    away.start()
    assert subprocess.run([*words, "sync"], check=False, capture_output=True).returncode == 0
    tracking = Server(home=tmp_path / "home")
    assert {r.status for r in tracking.search("in")} == {"FINISHED"}
    assert len(tracking.search("in", {"leaflab.verb": "trial"})) == 4
    assert [v.aliases for v in tracking.registry.versions("in")] == [("challenger",)]
