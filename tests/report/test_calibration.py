from __future__ import annotations

import numpy as np
import pytest

from leaflab.report.calibration import recalibration, reliability
from leaflab.scorer.predictor import Constant, Recalibrated, predictor_from


def overconfident(rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1.2, rows)
    hit = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)
    return hit, 1 / (1 + np.exp(-2.5 * logit - 0.5))


def test_bins_hold_all_rows_and_their_intervals_the_truth():
    rng = np.random.default_rng(1)
    positive = rng.random(5000)
    bins = reliability((rng.random(5000) < positive).astype(float), positive)
    assert sum(b.rows for b in bins) == 5000 and len(bins) == 10
    assert sum(b.low <= b.predicted <= b.high for b in bins) >= 8


def test_platt_undoes_a_logistic_distortion():
    hit, positive = overconfident()
    x, y = recalibration("platt", hit, positive)
    assert x == pytest.approx((1 / 2.5, -0.2), abs=0.06) and y == ()


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_recalibrated_probabilities_are_better_on_new_rows(kind):
    x, y = recalibration(kind, *overconfident())
    hit, positive = overconfident(seed=9)
    before = np.column_stack([1 - positive, positive])
    after = Recalibrated(None, x, y).corrected(before)
    loss = [-np.log(s[np.arange(len(hit)), hit.astype(int)]).mean() for s in (before, after)]
    assert loss[1] < loss[0] - 0.02
    assert after.sum(axis=1) == pytest.approx(np.ones(len(hit)))


def test_a_recalibrated_predictor_is_written_and_read_back():
    made = Recalibrated(Constant((0.3, 0.7)), (0.5, 0.1))
    again = predictor_from(made.to_json(), made.texts())
    assert (again.predict(np.zeros((3, 1))) == made.predict(np.zeros((3, 1)))).all()


def test_a_model_that_tells_the_classes_apart_is_not_made_too_sure():
    hit = np.arange(60) % 2.0
    positive = np.where(hit == 1, 0.9, 0.1)
    x, y = recalibration("platt", hit, positive)
    surest = Recalibrated(None, x, y).corrected(np.column_stack([1 - positive, positive])).max()
    assert surest == pytest.approx(1 - 1 / 32, abs=1e-3)  # thirty of a class: one more, and one of the other
    wild = Recalibrated(None, (400.0, 0.0)).corrected(np.array([[1e-6, 1 - 1e-6]]))
    assert np.isfinite(wild).all()
