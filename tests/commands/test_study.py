"""A study comes back from MLflow alone, and Optuna's dashboard opens on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from leaflab.app import main
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.values import Artifact


@pytest.fixture
def run_id(home):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = home / "journal.log"
    study = optuna.create_study(study_name="toy", storage=JournalStorage(JournalFileBackend(str(file))))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=5)
    with Local(home=home).start(RunSpec("toy", "sweep", "sweep toy")) as run:
        run.log([Artifact("study/journal.log", file)])
    return run.id


def test_the_study_is_rebuilt_from_mlflow_alone(home, run_id, capsys):
    (home / "journal.log").unlink()
    assert main(["study", run_id[:12], "--out", "again.log"]) == 0
    again = optuna.load_study(study_name="toy", storage=JournalStorage(JournalFileBackend(str(home / "again.log"))))
    assert len(again.trials) == 5
    assert 0 <= again.best_value <= 1


def test_a_run_without_a_study_is_a_mistake(home, run_id, capsys):
    with Local(home=home).start(RunSpec("toy", "evaluate", "evaluate toy")) as run:
        pass
    assert main(["study", run.id]) == 2
    assert "holds no study" in capsys.readouterr().err
    assert main(["study", "absent"]) == 2


@pytest.mark.slow
def test_the_dashboard_opens(home, run_id, free_port):
    words = [sys.executable, "-m", "leaflab", "study", run_id, "--port", str(free_port)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert f"http://127.0.0.1:{free_port}" in process.stdout.readline()
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/api/studies", timeout=5) as answer:
                    assert [s["study_name"] for s in json.load(answer)["study_summaries"]] == ["toy"]
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("the dashboard does not answer")
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out.strip()) == (0, "Ended.")
