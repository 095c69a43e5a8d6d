from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from leaflab.gate import exchange
from leaflab.gate.exchange import Pair, upper
from leaflab.metric.all import all_metrics
from leaflab.metric.probability import LogLoss
from leaflab.metric.ranking import RocAuc
from leaflab.metric.regression import Mae, Rmse


def chance(*sides, alpha=0.05):
    return exchange.chance(Pair(*sides), alpha=alpha)


def two(positive):
    return np.column_stack([1 - positive, positive])


@pytest.mark.parametrize("metric", [Mae(), Rmse()], ids=lambda m: m.name)
def test_few_rows_agree_with_all_their_exchanges(metric):
    rng = np.random.default_rng(0)
    truth, mine, theirs = np.zeros(10), *rng.standard_t(3, (2, 10))
    every = []
    for swap in product([False, True], repeat=10):
        a, b = np.where(swap, theirs, mine), np.where(swap, mine, theirs)
        every.append(1 - metric.score(truth, a) / metric.score(truth, b))
    bound = chance(metric, truth, mine, theirs, alpha=0.05)
    assert np.mean(np.asarray(every) > bound + 1e-12) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("metric", all_metrics("binary"), ids=lambda m: m.name)
def test_exchanged_predictions_seldom_exceed_it_on_few_rows_with_wild_losses(metric):
    rng = np.random.default_rng(1)
    count, pairs = 0, 100
    for _ in range(pairs):
        truth = np.r_[0, 1, rng.integers(0, 2, 58)]
        one, other = two(rng.beta(0.1, 0.1, 60)), two(np.full(60, 0.4) + 0.01 * rng.random(60))
        swap = (rng.random(60) < 0.5)[:, None]
        mine, theirs = np.where(swap, one, other), np.where(swap, other, one)
        losses = [metric.loss(metric.score(truth, scores)) for scores in (mine, theirs)]
        count += 1 - losses[0] / losses[1] > chance(metric, truth, mine, theirs)
    assert count <= 11  # 100 at 5 %: more than 11 happens once in 250


def test_weights_scale_what_a_row_moves():
    rng = np.random.default_rng(2)
    truth, mine, theirs = rng.normal(size=(3, 400))
    alike = chance(Mae(), truth, mine, theirs, np.full(400, 3.0))
    assert alike == pytest.approx(chance(Mae(), truth, mine, theirs))
    one = np.where(np.arange(400) < 5, 100.0, 1.0)
    assert chance(Mae(), truth, mine, theirs, one) > 3 * alike


def test_many_rows_agree_with_the_draws(monkeypatch):
    rng = np.random.default_rng(3)
    truth, mine, theirs = rng.normal(size=(3, 5000))
    drawn = chance(Mae(), truth, mine, theirs)
    monkeypatch.setattr("leaflab.gate.exchange._SMALL", 100)
    assert chance(Mae(), truth, mine, theirs) == pytest.approx(drawn, rel=0.1)


def test_a_level_too_small_for_the_draws_takes_the_normal_quantile():
    rng = np.random.default_rng(4)
    truth, mine, theirs = rng.normal(size=(3, 5000))
    levels = [chance(Mae(), truth, mine, theirs, alpha=alpha) for alpha in (0.05, 0.001, 1e-7)]
    assert levels == sorted(levels)
    assert levels[2] / levels[0] == pytest.approx(upper(1e-7) / upper(0.05), rel=0.1)


def test_an_area_is_not_moved_by_the_scale_that_a_model_answers_on():
    rng = np.random.default_rng(5)
    logit = rng.normal(size=300)
    truth = (rng.random(300) < 1 / (1 + np.exp(-logit))).astype(int)
    mine, theirs = (1 / (1 + np.exp(-(logit + rng.normal(0, 0.5, 300)))) for _ in range(2))
    same = chance(RocAuc(), truth, two(mine), two(theirs))
    assert chance(RocAuc(), truth, two(0.01 * mine), two(theirs)) == pytest.approx(same)


def test_two_models_that_are_always_right_show_nothing():
    truth = np.array([0, 1, 1])
    sure = two(truth.astype(float))
    assert chance(LogLoss(), truth, sure, sure) == 0
