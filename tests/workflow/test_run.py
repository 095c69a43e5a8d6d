"""The main job, whole: any table in, a judged champion out, and a store that tells the truth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leaflab.app import main

TARGET = "price, [€]"


def prices(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """A regression with unpleasant names: what LightGBM and Hydra would both refuse."""
    rng = np.random.default_rng(seed)
    size, room = rng.gamma(4, 20, rows).round(1), rng.integers(1, 6, rows)
    place = rng.choice(["Köln", "Bern ", "a,b", None], rows)
    price = (
        90_000 * np.sin(size / 20) * np.where(place == "Bern ", 2, 1) + 9000 * (room % 2) + rng.normal(0, 4000, rows)
    )
    return pd.DataFrame({"size {m²}": size, 'rooms: "n"': room, "place/ort": place, TARGET: price.round(2)})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, store_template: Path) -> Iterator[Path]:
    """A project folder in which one table went the whole way."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(store_template, folder / "mlflow.db")
    prices().to_csv(folder / "house prices.csv", index=False, sep=";", encoding="utf-16")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LEAFLAB_HOME", str(folder))
        words = [
            "run",
            "source.path=house prices.csv",
            f"dataset.target={TARGET}",
            "search.trials=6",
            "executor=inline",
        ]
        assert main(words) == 0
        yield folder


def test_the_project_folder_holds_what_it_should(project: Path) -> None:
    beside = {p.name for p in project.iterdir() if not p.name.startswith("mlflow.db")}
    assert beside == {"house prices.csv", "mlartifacts", "lake", ".leaflab"}


def test_mlflow_has_the_sweep_its_trials_and_its_baselines(project: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("house_prices")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    by_verb: dict[str, list] = {}
    for run in runs:
        by_verb.setdefault(run.data.tags["leaflab.verb"], []).append(run)
    assert {verb: len(found) for verb, found in by_verb.items()} == {
        "prepare": 1, "sweep": 1, "trial": 6, "baseline": 2, "evaluate": 1, "promote": 1,
    }  # fmt: skip
    (sweep,) = by_verb["sweep"]
    assert sweep.data.metrics.keys() >= {"valid/rmse", "test/rmse", "valid/r2", "test/r2"}
    assert sweep.data.tags["leaflab.dataset"]
    files = {f.path for f in client.list_artifacts(sweep.info.run_id)}
    assert {"config.yaml", "report.html"} <= files
    for trial in by_verb["trial"]:
        assert trial.data.tags["mlflow.parentRunId"] == sweep.info.run_id
        assert trial.data.tags["leaflab.sweep"] == sweep.data.tags["leaflab.sweep"]
        contexts = {i.tags[0].value: i.dataset.digest for i in trial.inputs.dataset_inputs}
        assert contexts.keys() == {"train", "valid"}
        assert all(len(digest) == 32 for digest in contexts.values())
    assert sorted(int(t.data.tags["leaflab.trial"]) for t in by_verb["trial"]) == list(range(6))


def test_the_registry_has_a_champion_with_its_evidence(project: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    assert client.get_registered_model("house_prices").aliases == {"champion": 1}
    version = client.get_model_version_by_alias("house_prices", "champion")
    assert {"leaflab.dataset", "leaflab.sweep"} <= version.tags.keys()


def test_plain_mlflow_loads_the_champion_and_it_answers_the_raw_table(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/house_prices@champion")
    new = prices(50, seed=1)
    answers = np.asarray(model.predict(new.drop(columns=TARGET)))
    assert np.corrcoef(answers, new[TARGET])[0, 1] > 0.9


def test_predict_answers_row_by_row_in_order(project: Path) -> None:
    import leaflab

    new = prices(50, seed=1).drop(columns=TARGET)
    new.to_parquet(project / "new.parquet")
    assert main(["predict", "name=house_prices", "input=new.parquet", "output=out.csv"]) == 0
    out = pd.read_csv(project / "out.csv")
    assert list(out.columns) == ["row_id", "prediction"]
    np.testing.assert_allclose(out["prediction"], leaflab.load("house_prices@champion").predict(new))
    for name in ("new.parquet", "out.csv"):
        (project / name).unlink()


def test_the_same_command_finds_everything_done(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["source.path=house prices.csv", f"dataset.target={TARGET}", "executor=inline"]
    assert main(["sweep", *words, "search.trials=6"]) == 0
    assert "lready complete" in capsys.readouterr().out
    assert main(["promote", "name=house_prices"]) == 0
    assert "already champion" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["no", "yes"], "binary"),
        ([True, False], "binary"),
        ([3, 5, 9], "multiclass"),
        (["a b", "c,d", "é"], "multiclass"),
    ],
)
def test_labels_of_every_kind_come_back_as_they_were(labels: list[object], task: str, home: Path) -> None:
    import leaflab

    rng = np.random.default_rng(0)
    code = rng.integers(0, len(labels), 240)
    frame = pd.DataFrame({"x": code + rng.normal(0, 0.2, 240), "y": [labels[c] for c in code]})
    ran = leaflab.run(frame, target="y", name="labels", search={"trials": 3}, executor="inline")
    assert ran.swept.dataset.task == task
    answers = leaflab.load("labels@challenger" if ran.promoted.outcome == "refused" else "labels").predict(frame)
    assert set(np.unique(answers).tolist()) == set(labels)
    assert (answers == frame["y"].to_numpy()).mean() > 0.9
    assert "<table" in ran.swept._repr_html_()


def test_a_continued_sweep_is_evaluated_as_its_newest_version(home: Path) -> None:
    import leaflab

    keys = {"name": "again", "executor": "inline"}
    leaflab.sweep(prices(150), target=TARGET, search={"trials": 2}, **keys)
    ran = leaflab.run(prices(150), target=TARGET, search={"trials": 5}, **keys)
    assert ran.swept.version.number == 2
    assert str(ran.evaluated).startswith("again version 2 ")


def test_a_refusal_is_shown_with_the_sweep_and_exits_3(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    pd.DataFrame({"noise": rng.normal(size=300), "y": rng.integers(0, 2, 300)}).to_csv("coin.csv", index=False)
    assert main(["run", "source.path=coin.csv", "dataset.target=y", "search.trials=2", "executor=inline"]) == 3
    out = capsys.readouterr().out
    assert "registered as coin version 1" in out
    assert "failed" in out
    assert "refused" in out


def test_without_a_test_set_the_model_is_registered_and_nothing_is_judged(home: Path) -> None:
    prices(120).to_csv("own.csv", index=False)
    words = [
        "source.path=own.csv",
        f"dataset.target={TARGET}",
        "split.test_size=0",
        "search.trials=2",
        "executor=inline",
    ]
    assert main(["run", *words]) == 0
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    assert client.get_registered_model("own").aliases == {"challenger": 1}


def leaflab_in(folder: Path, *words: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LEAFLAB", "MLFLOW_"))}
    return subprocess.run(
        [python, "-m", "leaflab", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_folder(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(root)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = f"import leaflab, sys; assert leaflab.__file__.startswith({str(target)!r}); from leaflab.app import main; "
    code += "sys.exit(main(['run', 'experiment=baseline', 'search.trials=3']))"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LEAFLAB", "MLFLOW_"))}
    environment["PYTHONPATH"] = str(target)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "is champion" in done.stdout


@pytest.mark.slow
def test_a_scaffold_runs_at_once(tmp_path: Path) -> None:
    assert leaflab_in(tmp_path, "new", "mylab").returncode == 0
    done = leaflab_in(tmp_path / "mylab", "run", "experiment=first", "debug=tiny")
    assert done.returncode == 0, done.stderr
    assert "first version 1" in done.stdout


@pytest.mark.slow
def test_mlflow_run_hands_its_run_over(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {
        **os.environ,
        "LEAFLAB_HOME": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    words = ["run", str(root), "-e", "sweep", "-P", "experiment=baseline", "--env-manager=local"]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *words, "--experiment-name", "baseline"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    from mlflow import MlflowClient

    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("baseline")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    (sweep,) = [run for run in runs if run.data.tags.get("leaflab.verb") == "sweep"]
    assert sweep.data.tags["mlflow.project.entryPoint"] == "sweep"
    assert len(json.dumps(dict(sweep.data.tags))) > 0
