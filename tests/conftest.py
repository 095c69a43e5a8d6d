"""Fixtures every room shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

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
