"""Fixtures every room shares."""

from __future__ import annotations

import os
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the real datasets (../shared/data) are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly migrated MLflow database: creating one takes seconds, copying it none."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("store")
    store = SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", str(folder / "mlartifacts"))
    store.engine.dispose()
    return folder / "mlflow.db"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_template: Path) -> Path:
    """An empty project folder that is also the current one, with the MLflow database already made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAFLAB_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    shutil.copy(store_template, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture(scope="session")
def toys() -> SimpleNamespace:
    """Small real models: `constant(share)`, `boosted(rounds, seed)`, and the raw table they read, `RAW`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "tracking" / "models.py")))


@pytest.fixture
def evidence():
    """Makes `values.Evidence` of known order: `evidence(gain=0.1)` has a challenger with a tenth less noise."""
    import numpy as np
    import pyarrow as pa

    from leaflab.metric.all import score_all
    from leaflab.metric.probability import LogLoss
    from leaflab.scorer import Column
    from leaflab.values import Dataset, Evidence, Judged, Roles

    def make(rows=2000, seed=0, noise=1.0, champion_noise=1.3, champion=True, **changed):
        rng = np.random.default_rng(seed)
        logit = rng.normal(-0.5, 1.5, rows)
        truth = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("int64")

        def judged(label, amount, kind="boosters"):
            positive = 1 / (1 + np.exp(-(logit + rng.normal(0, amount, rows)))) if amount else np.full(rows, truth.mean())
            scores = np.column_stack([1 - positive, positive])
            facts = {"kind": kind, "columns": columns, "classes": ("no", "yes"), "ms_per_1k_rows": 2.0, "bytes": 10_000}
            return Judged(label, scores, score_all("binary", truth, scores), facts)

        columns = (Column("x", "number"), Column("colour", "category"))
        table = pa.table({"x": logit, "colour": rng.choice(["red", "green", "blue"], rows)})
        roles = Roles(name="toy", target="y", task="binary", positive="yes")
        parts = {"train": table, "valid": table.slice(0, 0), "test": table}
        digests = {"train": "a", "valid": "b", "test": "c"}
        dataset = Dataset("toy", "binary", roles, ("no", "yes"), columns, parts, digests, facts={"leaks": []})
        known = {
            "challenger": judged("challenger", noise),
            "champion": judged("champion", champion_noise) if champion else None,
            "baselines": {"dummy": judged("dummy", 0, "constant"), "linear": judged("linear", 2.5, "linear")},
            "extra": {"leaks": []},
        }
        return Evidence(dataset, table, truth, None, metric=LogLoss(), **(known | changed))

    return make
