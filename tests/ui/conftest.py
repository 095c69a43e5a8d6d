"""A real project with two sweeps and a champion, MLflow's own server on it, and a real browser."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from leaflab.commands.ui import serving
from leaflab.tracking.local import Local

TRIALS = 20


@pytest.fixture(scope="module")
def project(tmp_path_factory, store_template):
    """Two sweeps of one table; the second one's model is the champion. `sweeps` holds their run ids."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(store_template, folder / "mlflow.db")
    rng = random.Random(5)
    lines = ["temperature,pressure,line,fault"]
    for _ in range(1500):
        a, b, c = rng.gauss(0, 1), rng.random(), rng.choice("xyz")
        lines.append(f"{a:.3f},{b:.3f},{c},{'yes' if a * b + (c == 'x') + rng.gauss(0, 0.5) > 0.6 else 'no'}")
    (folder / "in").mkdir()
    (folder / "in" / "faults.csv").write_text("\n".join(lines))
    environment = os.environ | {"LEAFLAB_HOME": str(folder)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    for seed in (0, 1):
        words = [
            f"source.path={folder}/in/faults.csv",
            "dataset.target=fault",
            f"search.trials={TRIALS}",
            f"seed={seed}",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "leaflab", "sweep", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    tracking = Local(home=folder, uri=f"sqlite:///{folder}/mlflow.db")
    tracking.registry.point("faults", "champion", 1)
    sweeps = [r.id for r in reversed(tracking.search("faults", {"leaflab.verb": "sweep"}))]
    return SimpleNamespace(folder=folder, tracking=tracking, sweeps=sweeps)


@pytest.fixture(scope="module")
def site(project):
    """The UI's address."""
    with serving(project.tracking.uri) as (url, _):
        yield url


@pytest.fixture
def page(browser, site):
    """A fresh page that remembers nothing."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)
    # The assistant's panel would cover a third of every picture.
    context.add_init_script(
        "try { localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true') } catch {}"
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def shot():
    """Saves a screenshot into the folder LEAFLAB_SCREENSHOTS names; does nothing without it."""

    def save(page, name):
        if folder := os.environ.get("LEAFLAB_SCREENSHOTS"):
            page.wait_for_timeout(1500)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return save
