from __future__ import annotations

from types import SimpleNamespace

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from leaflab.metric.probability import LogLoss
from leaflab.scorer import Column, Encoder, Feature, Scorer
from leaflab.scorer.predictor import Boosters, Constant, Recalibrated
from leaflab.values import Seeds
from leaflab.workflow.reseeding import seeds_of

NAMES = ("a", "b", "c")
CLASSES = ("no", "yes")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1500, 3))
    truth = rng.random(1500) < 1 / (1 + np.exp(-features.sum(axis=1)))
    return pa.table({**dict(zip(NAMES, features.T, strict=True)), "y": np.where(truth, "yes", "no")})


@pytest.fixture(scope="module")
def dataset(table):
    parts = {"train": table.slice(0, 1000), "valid": table.slice(0, 0), "test": table.slice(1000)}
    return SimpleNamespace(task="binary", classes=CLASSES, target="y", parts=parts)


@pytest.fixture(scope="module")
def loss(dataset):
    truth = np.array([CLASSES.index(label) for label in dataset.parts["test"]["y"].to_pylist()])
    return lambda scores: LogLoss().score(truth, scores)


def booster(dataset, seed=0, leaves=31, share=0.5):
    train = dataset.parts["train"]
    matrix = np.column_stack([train[name].to_numpy() for name in NAMES])
    params = {"objective": "binary", "num_leaves": leaves, "feature_fraction": share, "seed": seed, "verbosity": -1}
    data = lightgbm.Dataset(matrix, np.array([CLASSES.index(label) for label in train["y"].to_pylist()]))
    return lightgbm.train({**params, "num_threads": 1}, data, 10).model_to_string()


def scorer(predictor, made=()):
    columns = tuple(Column(name, "number") for name in NAMES)
    encoder = Encoder(tuple(Feature(name, name, "number") for name in NAMES))
    return Scorer("binary", CLASSES, columns, encoder, predictor, {"made": list(made)} if made else {})


def seen(made, dataset, loss, again=0):
    return seeds_of(made, dataset, dataset.parts["test"], loss, again)


def test_the_members_of_a_configuration_are_the_witnesses(dataset, loss):
    texts = [booster(dataset, seed, leaves) for leaves in (31, 7) for seed in (1, 2)]
    made = [{"trial": trial, "fold": None, "seed": seed} for trial in (0, 1) for seed in (1, 2)]
    blend = scorer(Boosters(texts, [0.4, 0.4, 0.1, 0.1]), made)
    matrix = np.column_stack([dataset.parts["test"][name].to_numpy() for name in NAMES])
    losses = np.array([loss(Boosters([text]).predict(matrix)) for text in texts]).reshape(2, 2)
    single = losses.var(axis=1, ddof=1).mean()
    found = seen(blend, dataset, loss)
    assert found.freedom == 2
    assert found.variance == pytest.approx(single * (0.8**2 + 0.2**2) / 2)


def test_one_booster_is_trained_again_where_that_is_asked(dataset, loss):
    alone = scorer(Boosters([booster(dataset)]))
    assert seen(alone, dataset, loss) is None
    found = seen(alone, dataset, loss, again=3)
    assert found.freedom == 2 and found.variance > 0
    twice = scorer(Recalibrated(Boosters([booster(dataset)]), (1.0, 0.0)))
    assert seen(twice, dataset, loss, again=3).variance == pytest.approx(found.variance)


def test_a_model_without_chance_owes_nothing_to_its_seed(dataset, loss):
    for sure in (Constant((0.5, 0.5)), Boosters([booster(dataset, share=1.0)])):
        assert seen(scorer(sure), dataset, loss, again=3) == Seeds(0.0, 0)


def test_members_of_unknown_origin_are_no_witnesses(dataset, loss):
    texts = [booster(dataset, seed) for seed in (1, 2)]
    assert seen(scorer(Boosters(texts)), dataset, loss) is None
