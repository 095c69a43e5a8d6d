from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from leaflab.errors import ConfigError
from leaflab.metric.all import all_metrics, score_all
from leaflab.metric.auto import Auto


def test_agrees_with_scikit_learn_on_two_classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 500)
    positive = np.round(np.clip(truth * 0.3 + rng.random(500) * 0.7, 0.01, 0.99), 2)  # rounding makes ties
    weight = rng.random(500)
    scores = np.column_stack([1 - positive, positive])
    ours = score_all("binary", truth, scores, weight)
    labels = positive > 0.5
    assert ours["log_loss"] == pytest.approx(reference.log_loss(truth, positive, sample_weight=weight))
    assert ours["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, positive, sample_weight=weight))
    assert ours["pr_auc"] == pytest.approx(reference.average_precision_score(truth, positive, sample_weight=weight))
    assert ours["brier"] == pytest.approx(reference.brier_score_loss(truth, positive, sample_weight=weight))
    assert ours["accuracy"] == pytest.approx(reference.accuracy_score(truth, labels, sample_weight=weight))
    balanced = reference.balanced_accuracy_score(truth, labels, sample_weight=weight)
    assert ours["balanced_accuracy"] == pytest.approx(balanced)
    assert ours["macro_f1"] == pytest.approx(reference.f1_score(truth, labels, average="macro", sample_weight=weight))


def test_agrees_with_scikit_learn_on_four_classes():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 400)
    raw = rng.random((400, 4)) + np.eye(4)[truth] * 0.4
    scores = raw / raw.sum(axis=1, keepdims=True)
    ours = score_all("multiclass", truth, scores)
    assert ours["log_loss"] == pytest.approx(reference.log_loss(truth, scores))
    assert ours["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, scores, multi_class="ovr"))
    assert ours["pr_auc"] == pytest.approx(reference.average_precision_score(np.eye(4)[truth], scores))
    assert ours["brier"] == pytest.approx(((scores - np.eye(4)[truth]) ** 2).sum(axis=1).mean() / 2)
    assert ours["macro_f1"] == pytest.approx(reference.f1_score(truth, scores.argmax(axis=1), average="macro"))


def test_agrees_with_scikit_learn_on_values():
    rng = np.random.default_rng(2)
    truth = rng.normal(5, 2, 300)
    values = truth + rng.normal(0, 1, 300)
    weight = rng.random(300)
    ours = score_all("regression", truth, values, weight)
    assert ours["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, values, sample_weight=weight))
    assert ours["mae"] == pytest.approx(reference.mean_absolute_error(truth, values, sample_weight=weight))
    assert ours["r2"] == pytest.approx(reference.r2_score(truth, values, sample_weight=weight))
    mape = reference.mean_absolute_percentage_error(truth, values, sample_weight=weight)
    assert ours["mape"] == pytest.approx(mape)


def test_ece_is_the_gap_we_built_in():
    truth = np.r_[np.ones(60), np.zeros(40)]
    scores = np.tile([0.1, 0.9], (100, 1))
    assert score_all("binary", truth, scores)["ece"] == pytest.approx(0.3)


def test_what_the_rows_cannot_define_is_left_out():
    one_class = score_all("binary", np.ones(5), np.tile([0.2, 0.8], (5, 1)))
    assert "roc_auc" not in one_class and "pr_auc" not in one_class
    assert one_class["log_loss"] == pytest.approx(-np.log(0.8))
    constant = score_all("regression", np.zeros(4), np.ones(4))
    assert "r2" not in constant and "mape" not in constant
    assert score_all("regression", np.zeros(0), np.zeros(0)) == {}


def test_certain_and_wrong_is_bad_but_finite():
    scores = np.array([[1.0, 0.0]])
    assert score_all("binary", np.array([1]), scores)["log_loss"] == pytest.approx(-np.log(1e-15))


def test_auto_follows_the_task():
    assert Auto().resolve("binary").name == "log_loss"
    assert Auto().resolve("regression").name == "rmse"
    rmse = Auto().score(np.zeros(2), np.array([3.0, 4.0]))
    assert rmse == pytest.approx(np.sqrt(12.5))


def test_a_metric_of_another_task_is_refused_in_a_sentence():
    rmse = next(metric for metric in all_metrics("regression") if metric.name == "rmse")
    with pytest.raises(ConfigError, match=r"`metric` must fit a binary task, got 'rmse'"):
        rmse.resolve("binary")
