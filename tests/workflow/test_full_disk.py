"""A disk that fills up in mid-sweep, or cannot be written at all, costs a sentence and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from leaflab.tracking.local import Local


def leaflab(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | {"LEAFLAB_HOME": str(home)}
    command = [sys.executable, "-m", "leaflab", "sweep", "-q", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def toy(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 5))
    y = (x[:, 0] + rng.normal(size=600) > 0).astype(int)
    table = tmp_path / "toy.csv"
    np.savetxt(table, np.column_stack([x, y]), delimiter=",", header="a,b,c,d,e,y", comments="", fmt="%.4g")
    return [f"source.path={table}", "dataset.target=y", "search=random", "search.trials=30", "model.max_rounds=100"]


def complete(home: Path) -> bool:
    """Whether all thirty trials are there, once, and none has failed."""
    trials = [r for r in Local(home=home).search("toy") if r.tags["leaflab.verb"] == "trial"]
    once = sorted(int(r.tags["leaflab.trial"]) for r in trials) == list(range(30))
    return once and {r.status for r in trials} == {"FINISHED"} and not list(home.glob(".leaflab/spool/*-*"))


def test_a_sweep_goes_on_when_there_is_room_again(small_disk_at, tmp_path, store_template):
    home, words = tmp_path / "disk", toy(tmp_path)
    again = small_disk_at(home)
    shutil.copy(store_template, home / "mlflow.db")
    full = leaflab(home, *words)
    assert full.returncode == 2, full.stderr
    assert "has no space left" in full.stderr
    assert "Traceback" not in full.stderr
    again("size=200m")
    done = leaflab(home, *words)
    assert done.returncode == 0, done.stderr
    assert "registered as toy version 1" in done.stdout
    assert complete(home)


def test_a_trial_whose_model_finds_no_room_has_not_failed(small_disk_at, tmp_path, store_template):
    """The study and the store have room here, the workers' own folder has not."""
    home, words = tmp_path / "home", toy(tmp_path)
    home.mkdir()
    shutil.copy(store_template, home / "mlflow.db")
    assert leaflab(home, *words, "search.trials=1").returncode == 0
    (trials,) = home.glob(".leaflab/sweeps/*/trials")
    shutil.copytree(trials, tmp_path / "kept")
    again = small_disk_at(trials, "400k")
    shutil.copytree(tmp_path / "kept", trials, dirs_exist_ok=True)
    full = leaflab(home, *words)
    assert full.returncode == 2, full.stderr
    assert "has no space left" in full.stderr
    again("size=200m")
    assert leaflab(home, *words).returncode == 0
    assert complete(home)


def test_a_project_or_a_store_that_cannot_be_written_is_told(small_disk_at, tmp_path, store_template):
    folder, home = tmp_path / "disk", tmp_path / "home"
    again = small_disk_at(folder)
    shutil.copy(store_template, folder / "mlflow.db")
    again("ro")
    home.mkdir()
    store = f"tracking.uri=sqlite:///{folder}/mlflow.db"
    for place, more in ((folder, []), (home, [store]), (home, [store.replace("mlflow", "new")])):
        said = leaflab(place, *toy(tmp_path), *more)
        assert said.returncode == 2, said.stderr
        assert "cannot be written" in said.stderr
        assert "Traceback" not in said.stderr
