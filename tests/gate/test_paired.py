from __future__ import annotations

import numpy as np
import pytest

from leaflab.gate.paired import paired_gain, spent_alpha
from leaflab.metric.all import all_metrics
from leaflab.metric.probability import LogLoss
from leaflab.metric.regression import Mae, Rmse


def test_the_gain_is_the_share_of_the_loss_that_is_taken_off():
    truth = np.zeros(400)
    rng = np.random.default_rng(0)
    far = rng.normal(0, 2, 400)
    gain = paired_gain(Rmse(), truth, far / 2, far)
    assert gain.estimate == pytest.approx(0.5)
    assert gain.loss == pytest.approx(gain.other / 2)
    assert gain.error < 1e-6


@pytest.mark.parametrize("metric", all_metrics("binary"), ids=lambda m: m.name)
def test_two_equal_models_gain_nothing(metric):
    rng = np.random.default_rng(1)
    positive = rng.random(300)
    scores = np.column_stack([1 - positive, positive])
    truth = rng.integers(0, 2, 300)
    gain = paired_gain(metric, truth, scores, scores)
    assert gain.estimate == 0
    assert gain.low <= 0 <= gain.high


def test_weights_count_as_copies_in_the_estimate():
    rng = np.random.default_rng(2)
    truth, mine, theirs = rng.normal(size=(3, 200))
    copies = rng.integers(1, 4, 200)
    weighted = paired_gain(Mae(), truth, mine, theirs, weight=copies.astype("float64"))
    copied = paired_gain(Mae(), *(np.repeat(v, copies) for v in (truth, mine, theirs)))
    assert weighted.estimate == pytest.approx(copied.estimate)
    assert weighted.error > copied.error  # copies are no new evidence


def test_bounds_hold_the_truth_at_their_level_although_log_loss_is_skewed():
    rng = np.random.default_rng(3)
    over = under = 0
    for _ in range(200):
        logit = rng.normal(-1, 1.5, 400)
        truth = (rng.random(400) < 1 / (1 + np.exp(-logit))).astype(int)
        mine, theirs = (1 / (1 + np.exp(-(logit + rng.normal(0, 0.5, 400)))) for _ in range(2))
        gain = paired_gain(LogLoss(), truth, *(np.column_stack([1 - p, p]) for p in (mine, theirs)))
        over, under = over + (gain.low > 0), under + (gain.high < 0)
    assert over <= 20 and under <= 20  # 200 at 5 %: more than 19 happens once in 250
    assert over + under >= 6


def test_many_rows_agree_with_the_bootstrap(monkeypatch):
    rng = np.random.default_rng(4)
    truth, mine, theirs = rng.normal(size=(3, 5000))
    resampled = paired_gain(Mae(), truth, mine, theirs)
    monkeypatch.setattr("leaflab.gate.paired._SMALL", 100)
    normal = paired_gain(Mae(), truth, mine, theirs)
    assert normal.low == pytest.approx(resampled.low, abs=resampled.error * 0.2)
    assert normal.estimate == resampled.estimate


def test_the_rows_that_would_tell_grow_as_the_gain_nears_the_margin():
    rng = np.random.default_rng(5)
    truth = np.zeros(500)
    gain = paired_gain(Mae(), truth, rng.normal(0, 1.0, 500), rng.normal(0, 1.01, 500))
    near, far = gain.more_rows(gain.estimate - 0.001), gain.more_rows(gain.estimate - 0.05)
    assert near > far >= 0
    assert gain.more_rows(gain.estimate) is None


def test_the_levels_of_all_looks_add_up_to_twice_alpha():
    levels = [spent_alpha(0.05, looks) for looks in range(10_000)]
    assert levels[0] == 0.05
    assert levels == sorted(levels, reverse=True)
    assert sum(levels) == pytest.approx(0.1, abs=1e-4)
