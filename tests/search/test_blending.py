from __future__ import annotations

import numpy as np
import pytest

from leaflab.metric.regression import Rmse
from leaflab.search.blending import greedy


def test_independent_errors_are_averaged_away():
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    scores = [truth + random.normal(0, s, 2000) for s in (1.0, 1.0, 5.0)]
    weights = greedy(scores, truth, None, Rmse(), 10)
    assert sum(weights) == pytest.approx(1)
    assert weights[2] == 0
    assert weights[0] == pytest.approx(0.5, abs=0.1)


def test_a_perfect_model_stands_alone():
    truth = np.arange(10.0)
    assert greedy([truth + 1, truth, truth - 2], truth, None, Rmse(), 5) == [0, 1, 0]


def test_weights_of_rows_count():
    truth = np.zeros(4)
    left, right = np.array([0.0, 0, 5, 5]), np.array([5.0, 5, 0, 0])
    assert greedy([left, right], truth, np.array([1.0, 1, 1e-9, 1e-9]), Rmse(), 3)[0] == 1
