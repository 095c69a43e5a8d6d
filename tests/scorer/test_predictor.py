from __future__ import annotations

import json
import pickle

import lightgbm
import numpy as np
import pytest

from leaflab.scorer.predictor import Boosters, Constant, Linear, predictor_from

MATRIX = np.random.default_rng(0).normal(size=(80, 3))


def booster(task):
    target = {
        "binary": (MATRIX[:, 0] > 0).astype(int),
        "multiclass": np.digitize(MATRIX[:, 0], [-0.5, 0.5]),
        "regression": MATRIX[:, 0],
        "poisson": np.exp(MATRIX[:, 0]),
    }[task]
    params = {"objective": task, "verbosity": -1, "num_leaves": 4, "min_data_in_leaf": 2, "num_threads": 1}
    params |= {"num_class": 3} if task == "multiclass" else {}
    return lightgbm.train(params, lightgbm.Dataset(MATRIX, target), 5)


def again(predictor):
    return predictor_from(json.loads(json.dumps(predictor.to_json())), predictor.texts())


LINEAR = Linear(({"mean": 0.5, "scale": 2.0}, {"levels": 2}), ((1.0, 0.0, 3.0),), (0.25,), "identity")


def test_a_linear_model_imputes_standardises_and_codes():
    matrix = np.array([[2.5, 1.0], [np.nan, np.nan], [0.5, 7.0]])
    assert LINEAR.predict(matrix) == pytest.approx([1 + 3 + 0.25, 0.25, 0.25])


@pytest.mark.parametrize(
    ("link", "coef", "width"), [("logistic", ((1.0, 2.0, 3.0),), 2), ("softmax", ((1.0, 2.0, 3.0),) * 4, 4)]
)
def test_probabilities_sum_to_one_even_far_out(link, coef, width):
    model = Linear(LINEAR.blocks, coef, (0.0,) * len(coef), link)
    scores = model.predict(np.array([[1e6, 0.0], [-1e6, 1.0], [0.0, np.nan]]))
    assert scores.shape == (3, width)
    assert scores.sum(axis=1) == pytest.approx(1)
    assert np.isfinite(scores).all()


def test_a_constant_repeats_itself():
    assert Constant((0.2, 0.8)).predict(MATRIX).shape == (80, 2)
    assert set(Constant((3.5,)).predict(MATRIX)) == {3.5}


@pytest.mark.parametrize(
    ("task", "shape"), [("binary", (80, 2)), ("multiclass", (80, 3)), ("regression", (80,)), ("poisson", (80,))]
)
def test_boosters_answer_as_lightgbm_does(task, shape):
    model = booster(task)
    scores = Boosters([model.model_to_string()]).predict(MATRIX)
    assert scores.shape == shape
    assert (scores[:, 1] if task == "binary" else scores) == pytest.approx(model.predict(MATRIX))
    assert task != "binary" or scores.sum(axis=1) == pytest.approx(1)


def test_boosters_are_averaged_by_weight():
    texts = [booster(task).model_to_string() for task in ("regression", "poisson")]
    apart = [Boosters([text]).predict(MATRIX) for text in texts]
    assert Boosters(texts, [0.25, 0.75]).predict(MATRIX) == pytest.approx(0.25 * apart[0] + 0.75 * apart[1])
    assert Boosters(texts).predict(MATRIX) == pytest.approx((apart[0] + apart[1]) / 2)


@pytest.mark.parametrize(
    "predictor", [Constant((0.1, 0.9)), LINEAR, Boosters([booster("binary").model_to_string()] * 2, [0.5, 0.5])],
    ids=["constant", "linear", "boosters"],
)  # fmt: skip
def test_what_is_written_and_read_again_answers_the_same(predictor):
    matrix = MATRIX[:, :2] if isinstance(predictor, Linear) else MATRIX
    for copy in (again(predictor), pickle.loads(pickle.dumps(predictor))):
        assert (copy.predict(matrix) == predictor.predict(matrix)).all()


@pytest.mark.parametrize(("link", "outputs"), [("identity", 1), ("logistic", 1), ("softmax", 5)])
def test_a_linear_model_answers_a_row_alike_alone_and_in_any_company_bit_for_bit(link, outputs):
    rng = np.random.default_rng(0)
    blocks = tuple({"levels": 4} if i % 5 == 0 else {"mean": 0.3, "scale": 1.7} for i in range(40))
    width = sum(block.get("levels", 1) for block in blocks)
    coef = tuple(map(tuple, rng.normal(0, 3, (outputs, width))))
    model = Linear(blocks, coef, tuple(rng.normal(size=outputs)), link)
    matrix = np.column_stack([rng.integers(-1, 5, 200) if "levels" in b else rng.normal(size=200) for b in blocks])
    matrix = np.where(rng.random(matrix.shape) < 0.1, np.nan, matrix)
    whole = model.predict(matrix)
    assert (whole == np.concatenate([model.predict(matrix[i : i + 1]) for i in range(200)])).all()
    assert (
        whole == np.concatenate([model.predict(np.asfortranarray(matrix[i : i + 7])) for i in range(0, 200, 7)])
    ).all()
    raw = model.design(matrix) @ np.asarray(coef).T + np.asarray(model.intercept)
    assert model._raw(matrix) == pytest.approx(raw)
