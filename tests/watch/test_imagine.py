"""Estimated performance is close to what labels later show, and its interval covers as stated."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from leaflab.watch.imagine import NEEDED, estimate, learn
from leaflab.watch.look import Known


def moved(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["x"] += rng.normal(0, 1)


@pytest.mark.parametrize(("task", "names"), [("binary", ["roc_auc", "accuracy"]), ("multiclass", ["accuracy"])])
def test_estimates_are_within_two_hundredths_and_cover(world: ModuleType, task: str, names: list[str]) -> None:
    gaps, inside = [], []
    for model in range(4):
        known = world.known_of(task, seed=model, rows=(3000, 500, 6000))
        chosen = [metric for metric in known.metrics if metric.name in names]
        for seed in range(3):
            window = world.window_of(known, 500 + seed, 2000, task=task, change=moved if seed % 2 else None)
            found = estimate(known.errors, window.scored, chosen)
            for metric in chosen:
                truth = metric.score(window.scored.truth, window.scored.scores)
                one = found[metric.name][0]
                gaps.append(abs(one.value - truth))
                inside.append(one.low <= truth <= one.high)
    assert np.mean(gaps) <= 0.012
    assert np.mean(np.array(gaps) <= 0.02) >= 0.75
    assert np.mean(inside) >= 0.85


def test_the_error_of_values_is_estimated_with_its_interval(world: ModuleType) -> None:
    inside = []
    for model in range(4):
        known = world.known_of("regression", seed=model, rows=(3000, 500, 4000))
        for seed in range(3):
            window = world.window_of(known, 700 + seed, 2000, task="regression")
            one = estimate(known.errors, window.scored, known.metrics[:1])["rmse"][0]
            truth = known.metric.score(window.scored.truth, window.scored.scores)
            inside.append(one.low <= truth <= one.high)
            assert abs(one.value / truth - 1) < 0.1
    assert np.mean(inside) >= 0.75


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_what_a_calibration_cannot_say_is_made_up_for(known: Known, name: str) -> None:
    # sure of what it half believes, and as before of the rest: no curve of three numbers has that bend
    held, odd = known.held, (known.held.scores[:, 1] > 0.3) & (known.held.scores[:, 1] < 0.5)
    bent = type(held)(held.frame, held.matrix, held.scores, np.where(odd, 0.0, held.truth))
    metric = next(metric for metric in known.metrics if metric.name == name)
    model = learn(bent, 2)
    assert model is not None
    came, found = metric.score(bent.truth, bent.scores), estimate(model, bent, [metric])[name][0]
    assert found.value == pytest.approx(came, abs=0.01)
    plain = np.mean([metric.score(model.draw(bent, np.random.default_rng(i), 0, None), bent.scores) for i in range(20)])
    assert abs(found.value - came) < abs(plain - came)


def test_too_few_labelled_rows_learn_nothing(known: Known) -> None:
    assert learn(known.held.take(np.arange(NEEDED - 1)), 2) is None
    assert learn(known.held.take(np.arange(NEEDED)), 2) is not None


def test_a_flattering_model_is_calibrated_before_it_is_believed(known: Known) -> None:
    scores = known.held.scores**4
    proud = type(known.held)(
        known.held.frame, known.held.matrix, scores / scores.sum(axis=1, keepdims=True), known.held.truth
    )
    model = learn(proud, 2)
    assert model is not None
    accuracy = next(metric for metric in known.metrics if metric.name == "accuracy")
    found = estimate(model, proud, [accuracy])["accuracy"][0]
    assert found.value == pytest.approx(accuracy.score(proud.truth, proud.scores), abs=0.01)
    assert proud.scores.max(axis=1).mean() > found.value + 0.05
