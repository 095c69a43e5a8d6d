from __future__ import annotations

import numpy as np
import pytest

from leaflab.report.thresholds import best_threshold, confusion

HIT = np.array([0, 0, 1, 0, 1, 1])
POSITIVE = np.array([0.1, 0.2, 0.35, 0.4, 0.8, 0.9])


def brute(value):
    return min(value(cut <= POSITIVE) for cut in [*POSITIVE, 2.0])


def test_f1_and_cost_are_the_best_of_all_cuts():
    cut = best_threshold(HIT, POSITIVE)
    assert cut.cut == 0.35 and cut.value == pytest.approx(6 / 7)
    dear_alarms = best_threshold(HIT, POSITIVE, costs=(10, 1))
    expected = brute(lambda yes: (10 * (yes & (HIT == 0)).sum() + (~yes & (HIT == 1)).sum()) / 6)
    assert dear_alarms.value == pytest.approx(expected) and dear_alarms.cut == 0.8


def test_recall_counts_more_with_a_larger_beta():
    rng = np.random.default_rng(0)
    hit = rng.integers(0, 2, 500)
    positive = np.clip(hit * 0.3 + rng.random(500) * 0.7, 0, 1)
    assert best_threshold(hit, positive, beta=4).cut < best_threshold(hit, positive, beta=0.25).cut


def test_never_saying_yes_is_a_cut_too():
    cut = best_threshold(np.array([0, 1, 0, 0]), np.array([0.9, 0.1, 0.8, 0.7]), costs=(100, 1))
    assert cut.cut > 0.9 and cut.value == 0.25


def test_confusion_counts_truth_by_answer():
    table = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
