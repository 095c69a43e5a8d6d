"""How often an equal model is promoted, and a better one: small counts; benchmarks/gates.py has the long ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leaflab.gate.beats_champion import BeatsChampion
from leaflab.metric.probability import LogLoss

GATE = BeatsChampion()


def scores(logit):
    positive = 1 / (1 + np.exp(-logit))
    return np.column_stack([1 - positive, positive])


def pairs(count, rows, noise, seed=0):
    """Truth, and the scores of two models whose logits carry noise of these two sizes."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        logit = rng.normal(-0.5, 1.5, rows)
        truth = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("int64")
        yield truth, *(scores(logit + rng.normal(0, size, rows)) for size in noise), rng


def promoted(evidence, truth, challenger, champion):
    made = replace(
        evidence,
        truth=truth,
        challenger=replace(evidence.challenger, scores=challenger),
        champion=replace(evidence.champion, scores=champion),
    )
    return GATE.judge(made).outcome == "passed"


@pytest.mark.slow
def test_predictions_exchanged_at_random_row_by_row_are_seldom_promoted(evidence):
    base, count = evidence(), 0
    for truth, one, other, rng in pairs(100, 800, (0.2, 1.0)):
        swap = (rng.random(len(truth)) < 0.5)[:, None]
        count += promoted(base, truth, np.where(swap, one, other), np.where(swap, other, one))
    assert count <= 10  # 100 at 5 %: more than 10 happens once in 100


@pytest.mark.slow
def test_models_that_differ_by_chance_alone_are_seldom_promoted(evidence):
    base = evidence()
    count = sum(promoted(base, truth, one, other) for truth, one, other, _ in pairs(100, 800, (0.4, 0.4), seed=1))
    assert count <= 10  # 100 at 5 %: more than 10 happens once in 100


@pytest.mark.slow
def test_a_gain_of_three_margins_is_found_on_5000_rows(evidence):
    base, better = evidence(), 0.3
    truth, good, _, rng = next(pairs(1, 200_000, (better, 0), seed=2))
    logit = np.log(good[:, 1] / good[:, 0])
    low, high = 0.0, 3.0
    for _ in range(30):  # the noise that costs 1.5 % of the loss
        middle = (low + high) / 2
        worse = scores(logit + middle * rng.normal(0, 1, len(truth)))
        gain = 1 - LogLoss().score(truth, good) / LogLoss().score(truth, worse)
        low, high = (middle, high) if gain < 3 * GATE.min_gain else (low, middle)
    rows = [rng.choice(len(truth), 5000, replace=False) for _ in range(30)]
    assert sum(promoted(base, truth[at], good[at], worse[at]) for at in rows) >= 24
