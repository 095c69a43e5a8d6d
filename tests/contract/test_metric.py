"""Every option of `conf/metric` keeps the contract of metrics."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "conf" / "metric"
OPTIONS = sorted(FOLDER.glob("*.yaml"))
ROWS = 200


def test_there_are_metrics_to_check():
    assert len(OPTIONS) >= 13


def build(path):
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    module, _, name = plain.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name)(**plain)


def sample(task, rng, rows=ROWS):
    if task == "regression":
        truth = rng.normal(10, 3, rows)
        return truth, truth + rng.normal(0, 1, rows), truth
    classes = 2 if task == "binary" else 4
    truth = rng.integers(0, classes, rows)
    raw = rng.random((rows, classes)) + 2 * np.eye(classes)[truth] * rng.random((rows, 1))
    return truth, raw / raw.sum(axis=1, keepdims=True), np.eye(classes)[truth]


def pairs():
    options = [(path.stem, build(path)) for path in OPTIONS]
    return [pytest.param(metric, task, id=f"{stem}-{task}") for stem, metric in options for task in metric.tasks]


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_is_named_as_its_file_and_says_what_it_is(path):
    metric = build(path)
    assert metric.name == path.stem
    assert metric.direction in ("minimize", "maximize")
    assert metric.tasks and set(metric.lightgbm) <= set(metric.tasks)


@pytest.mark.parametrize(("metric", "task"), pairs())
def test_is_finite_and_blind_to_row_order(metric, task):
    truth, scores, _ = sample(task, np.random.default_rng(1))
    value = metric.score(truth, scores)
    order = np.random.default_rng(2).permutation(len(truth))
    assert isinstance(value, float)
    assert np.isfinite(value)
    assert metric.score(truth[order], scores[order]) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("metric", "task"), pairs())
def test_nothing_beats_the_perfect_answer(metric, task):
    truth, scores, perfect = sample(task, np.random.default_rng(3))
    best = metric.score(truth, perfect)
    assert metric.better(best, metric.score(truth, scores))
    assert not metric.better(metric.score(truth, scores), best)


@pytest.mark.parametrize(("metric", "task"), pairs())
def test_a_weight_counts_as_so_many_copies(metric, task):
    truth, scores, _ = sample(task, np.random.default_rng(4))
    copies = np.random.default_rng(5).integers(1, 4, len(truth))
    weighted = metric.score(truth, scores, copies.astype("float64"))
    copied = metric.score(np.repeat(truth, copies), np.repeat(scores, copies, axis=0))
    assert weighted == pytest.approx(copied, rel=1e-9)
    assert weighted != pytest.approx(metric.score(truth, scores), rel=1e-9)


@pytest.mark.parametrize(("metric", "task"), [p for p in pairs() if hasattr(p.values[0], "of_mean")])
def test_its_rows_average_to_its_value(metric, task):
    truth, scores, _ = sample(task, np.random.default_rng(6))
    rows = metric.rowwise(truth, scores)
    assert rows.shape == truth.shape
    assert metric.of_mean(float(rows.mean())) == pytest.approx(metric.score(truth, scores))


@pytest.mark.parametrize(("metric", "task"), pairs())
def test_resolves_for_its_tasks_and_keeps_its_direction(metric, task):
    resolved = metric.resolve(task)
    assert task in resolved.tasks
    assert resolved.direction == metric.direction
