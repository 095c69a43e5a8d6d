"""Boosters of fewer features read the matrix of those with more."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from leaflab.model.widening import alike
from leaflab.scorer.predictor import Boosters, features_of
from leaflab.scorer.single import RowByRow

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(400, 5))
MATRIX[:, 1] = RANDOM.integers(0, 6, 400)
NAMES = ["a", "kind", "c", "a_+_c", "a_-_c"]


def booster(width, task):
    target = {"regression": MATRIX[:, 0], "binary": MATRIX[:, 0] > 0, "multiclass": np.digitize(MATRIX[:, 0], [-1, 1])}
    params = {"objective": task, "verbosity": -1, **({"num_class": 3} if task == "multiclass" else {})}
    names = NAMES[:width]
    data = lightgbm.Dataset(MATRIX[:, :width], target[task], feature_name=names, categorical_feature=[1])
    return lightgbm.train(params, data, 5)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_widened_booster_answers_as_before(task):
    narrow, wide = booster(3, task), booster(5, task)
    texts = alike([narrow.model_to_string(), wide.model_to_string()])
    assert [features_of(text) for text in texts] == [5, 5]
    assert texts[1] == wide.model_to_string()
    widened = lightgbm.Booster(model_str=texts[0])
    assert widened.feature_name() == wide.feature_name()
    np.testing.assert_array_equal(widened.predict(MATRIX), narrow.predict(MATRIX[:, :3]))
    outputs = 3 if task == "multiclass" else 1
    parts = np.asarray(widened.predict(MATRIX, pred_contrib=True)).reshape(len(MATRIX), outputs, 6)
    before = np.asarray(narrow.predict(MATRIX[:, :3], pred_contrib=True)).reshape(len(MATRIX), outputs, 4)
    np.testing.assert_array_equal(parts[..., [0, 1, 2, 5]], before)
    assert (parts[..., 3:5] == 0).all()


def test_a_blend_of_both_widths_answers_row_by_row_what_it_answers_in_a_batch():
    blend = Boosters(alike([booster(3, "binary").model_to_string(), booster(5, "binary").model_to_string()]))
    assert blend.width == 5
    np.testing.assert_array_equal(RowByRow(blend, 5).predict(MATRIX[:8]), blend.predict(MATRIX[:8]))


def test_boosters_of_one_width_are_left_as_they_are():
    texts = [booster(3, "binary").model_to_string(), booster(3, "regression").model_to_string()]
    assert alike(texts) == texts
