"""Contributions add up, for every kind of model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leaflab.scorer import Encoder, Feature, Scorer
from leaflab.scorer.columns import Column
from leaflab.scorer.predictor import Constant, Linear
from leaflab.serve.explain import BASE, contributions
from leaflab.serve.live import Live
from leaflab.values import Version

VERSION = Version("toy", 1, "run", "models:/m-1")
COLUMNS = (Column("n", "number"), Column("c", "category"))
ENCODER = Encoder((Feature("n", "n", "number"), Feature("c", "c", "codes", {"levels": ["x", "y"]}, categorical=True)))
ROWS = {"n": [1.0, None, -2.0], "c": ["x", "y", "unseen"]}


def explained(task, classes, predictor):
    answer = Live(VERSION, Scorer(task, classes, COLUMNS, ENCODER, predictor), {}).answer(ROWS, 3)
    return answer, contributions(answer)


def linear(outputs, link):
    rng = np.random.default_rng(outputs)
    coef = tuple(map(tuple, rng.normal(size=(outputs, 3)).tolist()))
    return Linear(({"mean": 0.5, "scale": 2.0}, {"levels": 2}), coef, tuple(rng.normal(size=outputs).tolist()), link)


@pytest.mark.parametrize(("task", "outputs", "link"), [("regression", 1, "identity"), ("binary", 1, "logistic")])
def test_a_linear_models_parts_add_up(task, outputs, link):
    answer, rows = explained(task, () if task == "regression" else ("no", "yes"), linear(outputs, link))
    total = np.array([sum(row.values()) for row in rows])
    wanted = answer.scores if task == "regression" else np.log(answer.scores[:, 1] / answer.scores[:, 0])
    assert np.allclose(total, wanted)
    assert all(next(iter(row)) == BASE for row in rows)


def test_of_many_classes_the_answered_one_is_explained():
    predictor = linear(3, "softmax")
    answer, rows = explained("multiclass", ("a", "b", "c"), predictor)
    raw = predictor.design(answer.matrix) @ np.array(predictor.coef).T + predictor.intercept
    assert np.allclose([sum(row.values()) for row in rows], raw.max(axis=1))


def test_a_constant_has_a_base_alone():
    _, rows = explained("binary", ("no", "yes"), Constant((0.25, 0.75)))
    assert rows[0] == {BASE: 0.75, "n": 0.0, "c": 0.0}


def test_members_are_averaged_by_weight(toys):
    one, other = toys.boosted(seed=0), toys.boosted(seed=1)
    both = replace(one, predictor=type(one.predictor)([*one.predictor.models, *other.predictor.models], [0.75, 0.25]))
    values = {"a": [1.0], "b": [0.5]}
    parts = [contributions(Live(VERSION, scorer, {}).answer(values, 1))[0] for scorer in (one, other, both)]
    for name in ("a", "b", BASE):
        assert np.isclose(parts[2][name], 0.75 * parts[0][name] + 0.25 * parts[1][name])
