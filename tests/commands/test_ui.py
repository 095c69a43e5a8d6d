"""`leaflab ui` is MLflow's own server on the project's store, on loopback, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from leaflab.app import main
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local


@pytest.fixture
def run_id(home):
    with Local(home=home).start(RunSpec("toy", "sweep", "sweep toy")) as run:
        return run.id


def test_serves_the_projects_runs_and_ends_cleanly(home, run_id, free_port):
    process = subprocess.Popen(
        [sys.executable, "-m", "leaflab", "ui", f"ui.port={free_port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{free_port}" in line, line + process.stderr.read()
        url = f"http://127.0.0.1:{free_port}/api/2.0/mlflow/runs/get?run_id={run_id}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert json.load(answer)["run"]["info"]["run_name"] == "sweep toy"
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err.strip()) == (0, "Ended.", "")
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=2)
    assert {p.name for p in home.iterdir()} <= {
        "mlflow.db",
        "mlflow.db-shm",
        "mlflow.db-wal",
        "mlartifacts",
        ".leaflab",
    }


def test_a_shared_server_is_pointed_to(home, capsys):
    assert main(["ui", "tracking.uri=http://me:hunter2@tracking.example:5000"]) == 0
    assert capsys.readouterr().out == "Runs are kept by a server: open http://me:***@tracking.example:5000\n"


@pytest.mark.parametrize("words", [["ui.port=x"], ["--port", "0"]])
def test_a_wrong_port_is_a_mistake(home, words):
    assert main(["ui", *words]) == 2


def test_a_taken_port_is_a_mistake(home, run_id, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["ui", f"ui.port={taken.getsockname()[1]}"]) == 2
    assert "is taken" in capsys.readouterr().err
    assert list(home.glob("*.log")) == []
