"""A small world for the watch: a population whose truth is known, a booster that learnt it, windows drawn from it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from leaflab.drift.base import Drift
from leaflab.metric.all import all_metrics
from leaflab.metric.probability import LogLoss
from leaflab.metric.regression import Rmse
from leaflab.scorer import Column, Encoder, Feature, Scorer
from leaflab.scorer.predictor import Boosters
from leaflab.values import Dataset, Roles
from leaflab.watch.look import Known
from leaflab.watch.reference import codes_of, reference
from leaflab.watch.window import Gathering, Typed, Window


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """This module: its functions make datasets, models and windows."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def known() -> Known:
    return known_of()


@pytest.fixture(scope="session")
def tests() -> dict[str, Drift]:
    """Every drift test, as its YAML makes it."""
    found = {}
    for path in sorted((Path(__file__).parents[2] / "conf" / "drift").glob("*.yaml")):
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        module, _, name = plain.pop("_target_").rpartition(".")
        found[path.stem] = getattr(importlib.import_module(module), name)(**plain)
    return found


LEVELS = list("abcd")
COLUMNS = (Column("x", "number"), Column("z", "number"), Column("dull", "number"), Column("kind", "category"))
Change = Callable[[np.random.Generator, pd.DataFrame], None]


def features(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": rng.normal(10, 2, rows),
            "z": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows)),
            "dull": rng.normal(size=rows),
            "kind": pd.array(rng.choice(LEVELS, rows, p=[0.4, 0.3, 0.2, 0.1]), dtype="str"),
        }
    )


def signal(frame: pd.DataFrame) -> np.ndarray:
    kind = frame["kind"].map(dict(zip(LEVELS, [-1.0, 0.0, 0.5, 2.0], strict=True))).fillna(0).astype("float64")
    return np.asarray((frame["x"] - 10) / 2 * 1.2 + frame["z"].fillna(0) * 0.8 + kind)


def labels(rng: np.random.Generator, frame: pd.DataFrame, task: str, twist: float = 0.0) -> Any:
    raw = signal(frame) * (1 - 2 * twist)
    if task == "regression":
        return raw * 10 + rng.normal(size=len(frame)) * (2 + 4 * (frame["x"] > 10))
    if task == "binary":
        return np.where(rng.random(len(frame)) < 1 / (1 + np.exp(-raw)), "yes", "no")
    noise = rng.gumbel(size=(len(frame), 3)) + np.column_stack([raw, np.zeros(len(raw)), -raw])
    return np.array(["high", "low", "mid"])[noise.argmax(axis=1)]


CLASSES: dict[str, tuple[str, ...]] = {"binary": ("no", "yes"), "multiclass": ("high", "low", "mid"), "regression": ()}


def table_of(rng: np.random.Generator, rows: int, task: str = "binary") -> pa.Table:
    frame = features(rng, rows)
    return pa.Table.from_pandas(frame.assign(y=labels(rng, frame, task)), preserve_index=False)


def scorer_of(dataset: Dataset) -> Scorer:
    state = {"levels": LEVELS}
    made = [Feature(c.name, c.name, "codes" if c.kind == "category" else "number",
                    state if c.kind == "category" else {}, c.kind == "category") for c in COLUMNS]  # fmt: skip
    encoder = Encoder(tuple(made))
    train = dataset.parts["train"]
    matrix = encoder.encode(train.select([c.name for c in COLUMNS]).to_pandas())
    objective = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[dataset.task]
    params = {"objective": objective, "verbose": -1, "num_leaves": 7, "num_threads": 1, "learning_rate": 0.1}
    params["feature_contri"] = [1, 1, 0, 1]
    if dataset.task == "multiclass":
        params["num_class"] = 3
    data = lightgbm.Dataset(matrix, codes_of(dataset, train), categorical_feature=encoder.categorical)
    booster = lightgbm.train(params, data, num_boost_round=40)
    return Scorer(dataset.task, dataset.classes, COLUMNS, encoder, Boosters([booster.model_to_string()]))


def dataset_of(task: str = "binary", seed: int = 0, rows: tuple[int, int, int] = (4000, 1000, 4000)) -> Dataset:
    rng = np.random.default_rng(seed)
    parts = {part: table_of(rng, n, task) for part, n in zip(("train", "valid", "test"), rows, strict=True)}
    roles = Roles(name="world", target="y", task=task)  # type: ignore[arg-type]
    return Dataset("world", task, roles, CLASSES[task], COLUMNS, parts, {p: p for p in parts})  # type: ignore[arg-type]


def known_of(task: str = "binary", seed: int = 0, rows: tuple[int, int, int] = (4000, 1000, 4000)) -> Known:
    dataset = dataset_of(task, seed, rows)
    first = Rmse() if task == "regression" else LogLoss()
    rest = [m for m in all_metrics(dataset.task) if m.name != first.name]
    return reference(scorer_of(dataset), dataset, [first, *rest], sample=4000, seed=seed)


def window_of(
    known: Known,
    seed: int,
    rows: int = 2000,
    *,
    task: str = "binary",
    change: Change | None = None,
    twist: float = 0.0,
    labelled: bool = True,
) -> Window:
    rng = np.random.default_rng(seed)
    frame = features(rng, rows)
    if change is not None:
        change(rng, frame)
    truth = labels(rng, frame, task, twist)
    if task != "regression":
        codes = {label: float(code) for code, label in enumerate(known.scorer.classes)}
        truth = np.array([codes[label] for label in truth])
    return gathered(known, frame, truth if labelled else np.full(rows, np.nan), label=f"window {seed}")


def gathered(
    known: Known, frame: pd.DataFrame, truth: np.ndarray, times: np.ndarray | None = None, label: str = "window"
) -> Window:
    made = Gathering(known.profile.columns, sample=4000)
    made.add(Typed(frame, np.asarray(truth, dtype="float64"), np.arange(len(frame)), times))
    return made.window(label, known.scorer)
