"""A booster's answers on held-out rows, and what it learns from before all rows."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from leaflab.metric.regression import Mae
from leaflab.model.lightgbm import LightGBM
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
