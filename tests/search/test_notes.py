from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from leaflab.search.notes import notes
from leaflab.search.validation import folds
from leaflab.values import Trial


@pytest.fixture
def problem(puzzle):
    return puzzle(rows=1000)


def trials(problem, folder, shifts, **facts):
    """Trials whose probabilities are the truth, blurred more and more."""
    truth = problem.target[folds(problem, "holdout", 5, 0)[0][1]]
    made = []
    for number, shift in enumerate(shifts):
        place = folder / str(number)
        place.mkdir()
        right = np.full(len(truth), 0.9 - shift)
        scores = np.where(truth[:, None] == np.arange(2), right[:, None], 1 - right[:, None])
        np.save(place / "scores-0.npy", scores + np.random.default_rng(number).normal(0, 1e-3, scores.shape))
        value = problem.metric.score(truth, scores)
        made.append(
            Trial(
                number, "complete", {"rate": 0.01 + number, "bagging_fraction": 0.999}, value, facts=facts, files=place
            )
        )
    return made


def told(problem, made, varying=None):
    return " | ".join(notes(problem, folds(problem, "holdout", 5, 0), made, varying or {}, 0.7))


def test_trials_that_a_paired_test_cannot_tell_apart_are_counted(problem, tmp_path):
    assert "the first 3 trials are statistically tied" in told(problem, trials(problem, tmp_path, [0, 0, 0, 0.2]))


def test_a_clear_winner_is_not_called_tied(problem, tmp_path):
    assert "tied" not in told(problem, trials(problem, tmp_path, [0, 0.2]))


def test_a_gap_between_training_and_validation_is_told(problem, tmp_path):
    assert "it fits noise" in told(problem, trials(problem, tmp_path, [0], **{"train/log_loss": 0.01}))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FloatDistribution(0.01, 1.0, log=True), "at the lower end of its range: try search.space.rate.low=0.001"),
        (
            FloatDistribution(0.0, 0.01),
            "at the upper end of its range: try search.space.rate.low=0 search.space.rate.high=0.015",
        ),
    ],
)
def test_a_best_value_at_the_edge_names_the_wider_range(problem, tmp_path, kind, said):
    assert said in told(problem, trials(problem, tmp_path, [0, 0.2]), {"rate": kind})


def test_a_wider_range_of_whole_numbers_is_written_as_whole_numbers(problem, tmp_path):
    made = [replace(t, params={**t.params, "num_leaves": 12_345}) for t in trials(problem, tmp_path, [0, 0.2])]
    told_of = told(problem, made, {"num_leaves": IntDistribution(6, 12_345, log=True)})
    assert "the best num_leaves (12345) lies at the upper end of its range" in told_of
    high = round(12_345 * (12_345 / 6) ** 0.5)
    assert f"search.space.num_leaves.low=6 search.space.num_leaves.high={high}" in told_of


def test_a_best_value_inside_is_not_told(problem, tmp_path):
    varying = {"rate": FloatDistribution(0.0001, 1.0, log=True), "other": IntDistribution(1, 9)}
    assert "end of its range" not in told(problem, trials(problem, tmp_path, [0, 0.2]), varying)


def test_a_share_that_can_be_no_larger_is_not_told(problem, tmp_path):
    made = trials(problem, tmp_path, [0, 0.2])
    assert "end of its range" not in told(problem, made, {"bagging_fraction": FloatDistribution(0.5, 1.0)})
    assert "the best bagging_fraction (0.999) lies at the upper end" in told(
        problem, made, {"bagging_fraction": FloatDistribution(0.99, 0.9991)}
    )


def test_few_trials_and_rare_classes_are_told(problem, tmp_path):
    rare = replace(problem, target=np.arange(1000) // 990)
    said = told(rare, trials(rare, tmp_path, [0]))
    assert "only 1 trial finished" in said
    assert "the rarest class has 10 rows" in said
