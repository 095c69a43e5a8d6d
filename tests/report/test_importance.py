from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from leaflab.metric.probability import LogLoss
from leaflab.model.widening import alike
from leaflab.report.importance import contributions, permutation, twins
from leaflab.scorer import Encoder, Feature, Scorer
from leaflab.scorer.predictor import Boosters, Constant, Recalibrated

NAMES = ("strong", "weak", "noise")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3000, 3))
    truth = (rng.random(3000) < 1 / (1 + np.exp(-2 * matrix[:, 0] - 0.5 * matrix[:, 1]))).astype(int)
    return matrix, truth


@pytest.fixture(scope="module")
def scorer(rows):
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 7, "feature_fraction": 0.7}
    text = lightgbm.train(params, lightgbm.Dataset(rows[0][:2000], rows[1][:2000]), 30).model_to_string()
    encoder = Encoder(tuple(Feature(name, name, "number") for name in NAMES))
    return Scorer("binary", ("no", "yes"), (), encoder, Boosters([text]))


def loss(truth, scores):
    return LogLoss().score(truth, scores)


def test_both_importances_find_what_matters(rows, scorer):
    shuffled = permutation(scorer, rows[0][2000:], rows[1][2000:], loss)
    given = contributions(scorer, rows[0][2000:])
    assert list(shuffled) == list(given) == ["strong", "weak", "noise"]
    assert abs(shuffled["noise"]) < 0.02 < shuffled["strong"]


def test_twins_learn_the_more_the_more_rows_they_see_and_never_see_the_validation_rows(rows, scorer):
    made = twins(scorer, (rows[0][:2000], rows[1][:2000]), rows[0][2000:], (0.05, 1.0))
    losses = [loss(rows[1][2000:], scores) for scores in made.values()]
    assert list(made) == [100, 2000] and losses[1] < losses[0]
    assert made[2000].shape == (1000, 2)


def test_a_twin_learns_from_the_features_that_its_model_could_see(rows, scorer):
    matrix, truth = rows
    leaky = np.column_stack([matrix, truth + matrix[:, 2] / 100])
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 7}
    narrow, wide = (lightgbm.train(params, lightgbm.Dataset(leaky[:, :width], truth), 5) for width in (3, 4))
    texts = alike([narrow.model_to_string(), wide.model_to_string()])
    losses = []
    for text in texts:
        both = replace(scorer, encoder=Encoder((*scorer.encoder.features, Feature("leak", "leak", "number"))))
        (scores,) = twins(replace(both, predictor=Boosters([text])), (leaky, truth), leaky, (1.0,)).values()
        losses.append(loss(truth, scores))
    assert losses[1] < 0.95 * losses[0]


def test_seeds_make_different_twins_of_about_the_same_worth(rows, scorer):
    train = (rows[0][:2000], rows[1][:2000])
    losses = [
        loss(rows[1][2000:], scores)
        for seed in (1, 2, 3)
        for scores in twins(scorer, train, rows[0][2000:], (0.9,), seed=seed).values()
    ]
    assert len(set(losses)) == 3 and np.std(losses) / np.mean(losses) < 0.05


def test_other_models_have_no_twins_and_no_contributions(rows):
    constant = Scorer("binary", ("no", "yes"), (), Encoder(()), Constant((0.5, 0.5)))
    assert contributions(constant, rows[0]) == {}
    assert twins(constant, rows, rows[0]) == {}


def test_a_recalibrated_model_is_read_off_twins_that_are_corrected_like_it(rows, scorer):
    corrected = replace(scorer, predictor=Recalibrated(scorer.predictor, (0.5, 0.1)))
    train, valid = (rows[0][:2000], rows[1][:2000]), rows[0][2000:]
    (plain,), (made,) = (twins(s, train, valid, (1.0,)).values() for s in (scorer, corrected))
    assert (made == corrected.predictor.corrected(plain)).all()
    assert contributions(corrected, valid) == contributions(scorer, valid)
