"""A logged model loads with plain MLflow, where leaflab is not installed and pickle is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from leaflab.tracking.base import RunSpec
from leaflab.tracking.batch import StoredModel
from leaflab.tracking.folder import ModelFolder, loader_name
from leaflab.tracking.local import Local
from leaflab.values import Model

LOADS = """
import sys, json
sys.modules["leaflab"] = None  # importing it, or anything of it, fails as where it is not installed
import mlflow, pandas as pd
frame = pd.DataFrame({"a": [1, 2, 3], "b": ["0.5", None, "7"], "extra": ["x", "y", "z"]})
answers = {}
for uri in sys.argv[1:]:
    model = mlflow.pyfunc.load_model(uri)
    answers[uri] = [list(model.predict(frame)), model.predict(frame, params={"proba": True}).to_numpy().tolist()]
assert not [name for name in sys.modules if name.startswith("leaflab.")]
print(json.dumps(answers))
"""


@pytest.fixture
def champion(home, toys):
    """A registered model with the alias champion: its tracking, run id and scorer."""
    tracking, scorer = Local(home=home), toys.boosted()
    with tracking.start(RunSpec("toy", "sweep", "sweep toy")) as run:
        run.log([Model(scorer.files(), metrics={"valid/log_loss": 0.5}, params={"rounds": 3}, example=toys.RAW)])
    made = tracking.registry.register("toy", run.id, {})
    tracking.registry.point("toy", "champion", made.number)
    return tracking, run.id, scorer


def test_loads_by_alias_version_run_and_id_without_leaflab_or_pickle(champion, home, tmp_path):
    tracking, run_id, scorer = champion
    model_uri = tracking.registry.version("toy", number=1).model_uri
    uris = ["models:/toy@champion", "models:/toy/1", model_uri, f"runs:/{run_id}/model"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *uris],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=elsewhere,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["0.5", None, "7"]})
    for uri in uris:
        assert answers[uri][0] == list(scorer.predict(frame)), uri
        assert np.allclose(answers[uri][1], scorer.score(frame)), uri


def test_mlflow_reads_its_signature_and_example(champion, monkeypatch):
    import mlflow

    tracking, _, _ = champion
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    info = mlflow.models.get_model_info("models:/toy@champion")
    assert [(c.name, c.required) for c in info.signature.inputs.inputs] == [("a", False), ("b", False)]
    assert [(p.name, p.default) for p in info.signature.params.params] == [("proba", False)]
    assert info.saved_input_example_info["artifact_path"] == "input_example.json"
    loaded = mlflow.pyfunc.load_model("models:/toy@champion")
    assert list(loaded.input_example.columns) == ["a", "b"]


def test_requirements_are_the_models_own(tmp_path, toys):
    writer = ModelFolder(tmp_path / "shared")
    writer.write(tmp_path / "boosted", StoredModel.of(Model(toys.boosted().files())), "m-1", "r")
    writer.write(tmp_path / "constant", StoredModel.of(Model(toys.constant().files())), "m-2", "r")

    def names(folder: Path) -> list[str]:
        return [line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()]

    assert names(tmp_path / "boosted") == ["mlflow", "lightgbm", "numpy", "pandas"]
    assert names(tmp_path / "constant") == ["mlflow", "numpy", "pandas"]
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".pkl", ".pickle", ".joblib")]


def test_the_loaders_name_changes_with_its_sources():
    assert loader_name() == loader_name()
    assert len(loader_name()) == len("leaflab_scorer_") + 8


def test_a_folder_of_files_is_a_model_too(tmp_path, toys):
    toys.constant().save(tmp_path / "kept")
    size = ModelFolder(tmp_path / "shared").write(
        tmp_path / "model", StoredModel.of(Model(tmp_path / "kept")), "m-1", "r"
    )
    assert size == sum(p.stat().st_size for p in (tmp_path / "kept").iterdir())
    assert (tmp_path / "model" / "data" / "model.json").read_text() == (tmp_path / "kept" / "model.json").read_text()


@pytest.mark.slow
def test_answers_over_http_as_in_process(champion, home, free_port):
    tracking, _, scorer = champion
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    words = [
        "models",
        "serve",
        "-m",
        "models:/toy@champion",
        "-h",
        "127.0.0.1",
        "-p",
        str(free_port),
        "--env-manager",
        "local",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env=environment,
        cwd=home,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{free_port}/health", process)
        split = {"columns": ["a", "b"], "data": [[1, "0.5"], [2, None]]}
        import pandas as pd

        frame = pd.DataFrame({"a": [1, 2], "b": [0.5, None]})
        labels = post(free_port, {"dataframe_split": split})["predictions"]
        assert labels == list(scorer.predict(frame))
        proba = post(free_port, {"dataframe_split": split, "params": {"proba": True}})["predictions"]
        assert np.allclose([[row["proba_no"], row["proba_yes"]] for row in proba], scorer.score(frame))
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def post(port: int, body: dict) -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def wait_for(url: str, process: subprocess.Popen) -> None:
    import time

    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
