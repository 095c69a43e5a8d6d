"""A booster's answers on held-out rows, and what it learns from before all rows."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from leaflab.errors import ConfigError
from leaflab.metric.regression import Mae
from leaflab.model.lightgbm import LightGBM
from leaflab.model.limits import OBJECTIVES
from leaflab.scorer.predictor import Boosters
from leaflab.search.base import Fit
from leaflab.search.pruners import Rungs
from leaflab.search.validation import folds


def run(problem, folder, params=None, told=lambda report: "", fold=0, **how):
    cut = folds(problem, "holdout", 5, 0)
    bench = LightGBM(max_rounds=30).bench(problem, cut, folder / "store", "shared")
    return bench.run(Fit("", params or {}, (fold,), 7, folder / "trial", **how), told), cut[0]


@pytest.mark.parametrize(
    ("task", "params"),
    [
        ("regression", {"linear_tree": True}),
        ("regression", {"objective": "poisson"}),
        ("binary", {"boosting": "dart", "drop_rate": 0.5}),
        ("binary", {"boosting": "rf", "bagging_fraction": 0.5}),
        ("multiclass", {"extra_trees": True, "feature_fraction": 0.5}),
    ],
)
def test_scores_read_off_while_learning_are_those_of_the_kept_model(puzzle, tmp_path, task, params):
    problem = puzzle(task, rows=600)
    problem = replace(problem, target=np.abs(problem.target))
    result, (_, valid) = run(problem, tmp_path, params)
    answers = Boosters([result.models[0].read_text()]).predict(problem.matrix[np.sort(valid)])
    assert np.load(result.scores[0]) == pytest.approx(answers, rel=1e-6)  # linear trees learn from single precision


@pytest.mark.parametrize(("task", "objective"), [(task, word) for task, words in OBJECTIVES.items() for word in words])
def test_an_objective_answers_as_its_task_does(puzzle, tmp_path, task, objective):
    problem = puzzle(task, rows=600)
    problem = replace(problem, target=problem.target if task != "regression" else np.abs(problem.target) + 0.1)
    result, (_, valid) = run(problem, tmp_path, {"objective": objective})
    answers = Boosters([result.models[0].read_text()]).predict(problem.matrix[np.sort(valid)])
    assert np.load(result.scores[0]) == pytest.approx(answers, rel=1e-9)
    if task == "regression":
        assert answers.shape == valid.shape
        assert answers.min() > -1.0
        assert answers.max() < 1.5 * problem.target.max()
    else:
        assert answers.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("task", "word", "near"),
    [
        ("regression", "hubber", "huber"),
        ("binary", "multiclass", "binary"),
        ("multiclass", "multiclassova", "multiclass"),
    ],
)
def test_an_objective_of_no_use_to_the_task_is_refused(puzzle, task, word, near):
    said = f"`objective` must be one for {task}, got '{word}': did you mean {near}"
    with pytest.raises(ConfigError, match=said):
        LightGBM().check(puzzle(task), {"objective": [word]})
    with pytest.raises(ConfigError, match=said):
        LightGBM(params={"objective": word}).check(puzzle(task), {})


@pytest.mark.parametrize("spec", [["huber", "regression"], "choice(huber, regression)", "huber"])
def test_objectives_that_a_space_names_are_searched(puzzle, spec):
    assert LightGBM().space(puzzle("regression"), {"objective": spec}) == {"objective": spec}


@pytest.mark.parametrize("spec", [["regression", "poisson"], "choice(regression, tweedie)"])
def test_links_for_amounts_are_left_out_where_there_are_none(puzzle, spec):
    assert LightGBM().space(puzzle("regression"), {"objective": spec}) == {}
    assert LightGBM().space(puzzle("binary"), {"objective": spec}) == {}


def test_a_metric_that_lightgbm_lacks_is_scored_alike(puzzle, tmp_path):
    class Other(Mae):
        lightgbm = {}  # noqa: RUF012

    problem = replace(puzzle("regression", rows=600), metric=Other())
    result, (_, valid) = run(problem, tmp_path)
    answers = Boosters([result.models[0].read_text()]).predict(problem.matrix[np.sort(valid)])
    assert np.load(result.scores[0]) == pytest.approx(answers, rel=1e-9, abs=1e-12)


def test_shares_of_the_rows_come_first_and_grow(puzzle, tmp_path):
    told = []
    shares = Rungs(reduction=2, least=100).shares(480)
    assert shares == (0.25, 0.5)
    result, _ = run(puzzle("binary", rows=600), tmp_path, shares=shares, told=lambda r: told.append(r) or "")
    assert [(kind, step) for kind, step, _ in told if kind in ("rows", "folds")] == [
        ("rows", 1),
        ("rows", 2),
        ("folds", 1),
    ]
    assert result.state == "complete"
    assert result.facts["rung_seconds"] > 0
    alone, _ = run(puzzle("binary", rows=600), tmp_path / "alone")
    assert result.models[0].read_text() == alone.models[0].read_text()


def test_what_is_stopped_at_a_share_keeps_that_model(puzzle, tmp_path):
    told = []

    def stop(report):
        told.append(report[0])
        return "pruned" if report[0] == "rows" else ""

    result, _ = run(puzzle("binary", rows=600), tmp_path, shares=(0.25, 0.5), told=stop)
    assert (result.state, len(result.models), told.count("rows")) == ("pruned", 1, 1)


def test_a_fit_on_all_rows_ends_when_told_and_leaves_no_half_of_a_model(puzzle, tmp_path):
    told = []
    result, _ = run(
        puzzle("binary", rows=600), tmp_path, {"learning_rate": 0.5}, fold=None,
        told=lambda report: told.append(report) or "deadline" * (len(told) == 3),
    )  # fmt: skip
    assert (result.state, result.models, result.facts["rounds"]) == ("deadline", (), 6)
    assert len(told) == 3


def test_few_rows_have_no_rungs():
    assert Rungs().shares(59_999) == ()
    assert Rungs().shares(60_000) == (1 / 3,)


def test_rows_are_not_binned_anew_where_too_little_time_is_left_for_it(puzzle, tmp_path):
    cut = folds(problem := puzzle("binary", rows=600), "holdout", 5, 0)
    bench = LightGBM(max_rounds=30).bench(problem, cut, tmp_path / "store", "shared")

    def state(bins, left):
        job = Fit("", {"max_bin": bins}, (0,), 7, tmp_path / "trial", deadline=time.monotonic() + left)
        return bench.run(job, lambda report: "").state

    assert state(255, -1.0) == "deadline"  # the first of all fits leaves a model, however late it is
    (seconds,) = (tmp_path / "store").glob("binned-*.seconds")
    seconds.write_text("4.0")
    assert state(63, 11.0) == "pruned"
    assert state(255, 11.0) == "complete"
    assert state(63, 13.0) == "complete"
