from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leaflab.metric.ranking import RocAuc
from leaflab.metric.regression import Rmse
from leaflab.search.frontier import fastest, frontier, more_search, sentence
from leaflab.values import Trial


def trial(number, curve, seconds, state="complete"):
    best = min(curve, key=lambda point: point[1])
    facts = {"fit_seconds": seconds, "rounds/0": float(best[0])}
    return Trial(number, state, {}, best[1], curve=tuple(curve), facts=facts, files=Path("x"))


SLOW = trial(0, [(1, 9.0), (50, 5.0), (100, 4.0)], 10.0)
QUICK = trial(1, [(1, 8.0), (10, 4.1), (20, 4.3)], 1.0)


def test_the_frontier_holds_what_nothing_faster_beats():
    points = frontier([SLOW, QUICK, trial(2, [(1, 0.1)], 1.0, "pruned")], Rmse())
    assert [(p.trial, p.rounds) for p in points] == [(1, 1), (1, 10), (0, 100)]
    assert [p.seconds for p in points] == pytest.approx([0.05, 0.5, 10.0])


@pytest.mark.parametrize(("within", "chosen"), [(0.0, (0, 100)), (0.05, (1, 10)), (1.5, (1, 1))])
def test_the_fastest_good_enough_point(within, chosen):
    point = fastest(frontier([SLOW, QUICK], Rmse()), Rmse(), within)
    assert (point.trial, point.rounds) == chosen


def test_what_is_maximised_has_a_frontier_too():
    rising = Trial(
        0, "complete", {}, 0.9, curve=((1, 0.6), (2, 0.9)), facts={"fit_seconds": 1.0, "rounds/0": 2.0}, files=Path()
    )
    points = frontier([rising], RocAuc())
    assert [p.value for p in points] == [0.6, 0.9]
    assert fastest(points, RocAuc(), 0.0).rounds == 2


def test_the_sentence_names_the_trial_its_trees_and_what_they_keep():
    said = sentence(frontier([SLOW, QUICK], Rmse()), Rmse(), 14.0, 0.05)
    assert said.startswith("trial 1 cut to 10 trees keeps 99.0% of the gain over a constant at 5% of the best")
    assert sentence(frontier([SLOW], Rmse()), Rmse(), 14.0) == ""


def test_the_expected_gain_of_more_search_matches_a_simulation():
    random = np.random.default_rng(0)
    values = random.normal(size=20).tolist()
    halves = [min(random.choice(values, 10, replace=False)) for _ in range(4000)]
    assert more_search(values, Rmse()) == pytest.approx(np.mean(halves) - min(values), abs=0.02)
    assert np.isnan(more_search([1.0, 2.0], Rmse()))
