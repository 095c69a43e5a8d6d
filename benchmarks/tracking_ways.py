"""The ways of recording the same trials: leaflab's, MLflow's client by hand, autolog, and Optuna's two bridges."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

__all__ = ["COLUMNS", "ROWS", "SIDES", "Trials", "bare", "local", "scorer_files"]

ROUNDS, ROWS, COLUMNS = 100, 2000, 10
PARAMS = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 15, "metric": "binary_logloss"}


class Trials:
    """The same LightGBM trials for every side: 100 rounds on a small table."""

    def __init__(self) -> None:
        import lightgbm
        import numpy as np

        rng = np.random.default_rng(0)
        x = rng.normal(size=(ROWS, COLUMNS))
        y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=ROWS) > 0).astype(float)
        self.train = lightgbm.Dataset(x[:1500], y[:1500], free_raw_data=False).construct()
        self.valid = self.train.create_valid(x[1500:], y[1500:]).construct()

    def fit(self, number: int) -> tuple[dict[str, Any], Any, list[float]]:
        import lightgbm

        curve: dict = {}
        params = PARAMS | {"learning_rate": 0.02 + 0.001 * (number % 97), "seed": number}
        booster = lightgbm.train(
            params, self.train, ROUNDS, valid_sets=[self.valid], callbacks=[lightgbm.record_evaluation(curve)]
        )
        return params, booster, curve["valid_0"]["binary_logloss"]


def scorer_files(booster: Any) -> dict[str, str]:
    from leaflab.scorer import Column, Encoder, Feature, Scorer
    from leaflab.scorer.predictor import Boosters

    names = [f"c{i}" for i in range(COLUMNS)]
    columns = tuple(Column(n, "number") for n in names)
    encoder = Encoder(tuple(Feature(n, n, "number") for n in names))
    return Scorer("binary", ("no", "yes"), columns, encoder, Boosters([booster.model_to_string()])).files()


def leaflab_side(tracking: Any, trials: Trials, count: int) -> None:
    from leaflab.tracking.base import RunSpec
    from leaflab.values import Input, Metric, Model, Param

    part = Input(
        "toy", "0" * 32, "train", "lake/dataset/toy/train@0", ROWS, {f"c{i}": "double" for i in range(COLUMNS)}
    )
    with tracking.start(RunSpec("bench", "sweep", "sweep bench", "k")) as run:
        for number in range(count):
            started = time.time()
            params, booster, curve = trials.fit(number)
            items = [
                *(Param(k, v) for k, v in params.items()),
                *(Metric("valid/log_loss", v, i) for i, v in enumerate(curve, 1)),
                Metric("valid/log_loss", curve[-1]),
                part,
                Model(scorer_files(booster), metrics={"valid/log_loss": curve[-1]}, params=params),
            ]
            spec = RunSpec("bench", "trial", f"trial {number:04d}", f"k/{number}", run.id)
            run.child(spec, items, status="FINISHED", started=started, ended=time.time())


def bare(folder: Path, trials: Trials, count: int) -> None:
    for number in range(count):
        trials.fit(number)


def memory(folder: Path, trials: Trials, count: int) -> None:
    from leaflab.tracking.memory import Memory

    leaflab_side(Memory(), trials, count)


def local(folder: Path, trials: Trials, count: int) -> None:
    from leaflab.tracking.local import Local

    leaflab_side(Local(home=folder), trials, count)


def by_hand(folder: Path, trials: Trials, count: int) -> None:
    """MLflow's client called as well as a person would: one batch a trial, no model."""
    import mlflow
    from mlflow.entities import Metric, Param

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("bench", str(folder / "mlartifacts"))
    for number in range(count):
        params, _, curve = trials.fit(number)
        run_id = client.create_run(experiment).info.run_id
        now = int(time.time() * 1000)
        points = [Metric("valid/log_loss", v, now, i) for i, v in enumerate(curve)]
        client.log_batch(run_id, metrics=points, params=[Param(k, str(v)) for k, v in params.items()])
        client.set_terminated(run_id)


def autolog(folder: Path, trials: Trials, count: int, *, models: bool) -> None:
    """MLflow's own way: autolog, a nested run a trial."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("bench", str(folder / "mlartifacts"))
    mlflow.set_experiment("bench")
    mlflow.lightgbm.autolog(log_models=models, log_datasets=models, silent=True)
    try:
        with mlflow.start_run():
            for number in range(count):
                with mlflow.start_run(nested=True):
                    trials.fit(number)
    finally:
        mlflow.lightgbm.autolog(disable=True)
        mlflow.set_tracking_uri(None)


def callback(folder: Path, trials: Trials, count: int) -> None:
    """optuna-integration's MLflowCallback (deprecated), params and value only."""
    import optuna
    from optuna_integration import MLflowCallback

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logger = MLflowCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", metric_name="log_loss")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trials.fit(trial.suggest_int("n", 0, 96))[2][-1], count, callbacks=[logger])


def storage(folder: Path, trials: Trials, count: int) -> None:
    """MLflow as Optuna's storage: params and value only."""
    import mlflow
    import optuna
    from mlflow.optuna.storage import MlflowStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("bench", str(folder / "mlartifacts"))
    kept = MlflowStorage(experiment_id=experiment)
    study = optuna.create_study(storage=kept, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trials.fit(trial.suggest_int("n", 0, 96))[2][-1], count)
    mlflow.set_tracking_uri(None)


def autolog_bare(folder: Path, trials: Trials, count: int) -> None:
    autolog(folder, trials, count, models=False)


def autolog_models(folder: Path, trials: Trials, count: int) -> None:
    autolog(folder, trials, count, models=True)


SIDES = {
    "bare LightGBM": bare,
    "leaflab, tracking=memory": memory,
    "leaflab, all logged with model": local,
    "MLflow client by hand, no model": by_hand,
    "MLflowCallback (params, value)": callback,
    "MlflowStorage (params, value)": storage,
    "autolog without models": autolog_bare,
    "autolog with models": autolog_models,
}
