"""A disk that fills up in mid-sweep, or cannot be written at all, costs a sentence and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leaflab.tracking.local import Local


@pytest.fixture
def disk(tmp_path: Path):
    """A file system of three megabytes, and what gives it more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
    subprocess.run(["umount", str(folder)], check=True)


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


def test_a_sweep_goes_on_when_there_is_room_again(disk, tmp_path, store_template):
    home, more_room = disk
    shutil.copy(store_template, home / "mlflow.db")
    words = toy(tmp_path)
    full = leaflab(home, *words)
    assert full.returncode == 2, full.stderr
    assert "has no space left" in full.stderr
    assert "Traceback" not in full.stderr
    more_room()
    again = leaflab(home, *words)
    assert again.returncode == 0, again.stderr
    assert "registered as toy version 1" in again.stdout
    trials = [r for r in Local(home=home).search("toy") if r.tags["leaflab.verb"] == "trial"]
    assert sorted(int(r.tags["leaflab.trial"]) for r in trials) == list(range(30))
    assert {r.status for r in trials} == {"FINISHED"}
    assert not list(home.glob(".leaflab/spool/*-*"))


def test_a_project_or_a_store_that_cannot_be_written_is_told(disk, tmp_path, store_template):
    folder, _ = disk
    shutil.copy(store_template, folder / "mlflow.db")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    home = tmp_path / "home"
    home.mkdir()
    store = f"tracking.uri=sqlite:///{folder}/mlflow.db"
    for place, more in ((folder, []), (home, [store]), (home, [store.replace("mlflow", "new")])):
        said = leaflab(place, *toy(tmp_path), *more)
        assert said.returncode == 2, said.stderr
        assert "cannot be written" in said.stderr
        assert "Traceback" not in said.stderr
