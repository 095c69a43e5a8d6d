"""What the final model is made of, and in which order its parts are fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from leaflab.executor.base import Event
from leaflab.metric.regression import Rmse
from leaflab.model.base import Fitted
from leaflab.model.lightgbm import LightGBM
from leaflab.search.budget import Budget
from leaflab.search.members import Members, Part
from leaflab.search.refitting import Refit
from leaflab.values import Trial

ROWS = 100
SAMPLED = {"bagging_fraction": 0.8}


class _Pool:
    """Answers one job at a time, `seconds` later on its own clock."""

    size, threads, state = 2, 1, "complete"

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.jobs, self._waiting, self.told = clock, seconds, [], [], []

    def submit(self, number, fit):
        fit.folder.mkdir(parents=True, exist_ok=True)
        model = fit.folder / "booster.txt"
        model.write_text(f"{fit.params} {fit.seed}")
        scores = ()
        if fit.folds != (None,):
            scores = (fit.folder / "scores.npy",)
            np.save(scores[0], np.full(20, fit.params.get("elsewhere", 0.0)))
        fitted = Fitted(self.state, None, (), (10,), models=(model,), scores=scores)
        self.jobs.append(fit)
        self._waiting.append(Event(number, "done", fitted))

    def events(self, seconds, decide):
        event = self._waiting.pop(0)
        self.clock[0] += self.seconds
        self.told.append(decide(event.number, ("rounds", 1, float("nan"))))
        yield event


def _trial(folder: Path, number: int, params, scores, value):
    folder = folder / f"{number:04d}"
    folder.mkdir(parents=True)
    (folder / "booster-0.txt").write_text(f"fold 0 of trial {number}")
    np.save(folder / "scores-0.npy", scores)
    facts = {"fit_seconds": 1.0, "rounds": 12.0, "rounds/0": 10.0}
    return Trial(number, "complete", params, value, facts=facts, seed=7 * number, files=folder)


def _many(tmp_path):
    held = np.linspace(0, 1, ROWS)[80:]
    return [_trial(tmp_path / "m", 10 + n, {}, held + 1.0 + n, 1.0 + n) for n in range(14)]


def _looked(pool):
    return sum(job.folds == (1,) for job in pool.jobs)


@pytest.fixture
def setting(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("leaflab.search.refitting._FEW", ROWS)
    for module in ("members", "budget"):
        monkeypatch.setattr(f"leaflab.search.{module}.time", SimpleNamespace(monotonic=lambda: clock[0]))
    truth = np.linspace(0, 1, ROWS)

    def score(task, truth, scores, weight):
        return {"rmse": Rmse().score(truth, scores, weight)}

    problem = SimpleNamespace(task="regression", target=truth, weight=None, metric=Rmse(), score=score)
    folds = [(np.arange(80), np.arange(80, ROWS)), (np.arange(20, ROWS), np.arange(20))]
    trials = [
        _trial(tmp_path / "t", 1, {}, truth[80:] + 0.05, 0.05),
        _trial(tmp_path / "t", 2, SAMPLED, truth[80:] - 0.11, 0.11),
        _trial(tmp_path / "t", 3, SAMPLED, truth[80:] + 5.0, 5.0),
    ]

    def made(kind, seconds=None, per_fit=0.0):
        budget = Budget(seconds, 3, started=clock[0])
        pool = _Pool(clock, per_fit)
        stopping, place = SimpleNamespace(asked=False), SimpleNamespace(folder=tmp_path)
        members = Members(problem, folds, 1, pool, budget, stopping, place)
        return Refit(kind, 4, problem, LightGBM(), members), pool, trials

    return made


def test_a_blend_is_fitted_on_all_rows_pass_by_pass_and_only_what_a_seed_changes_twice(setting):
    refit, pool, trials = setting("blend")
    final = refit.run(trials)
    assert [(job.params, job.folds, job.seed, job.rounds) for job in pool.jobs] == [
        ({}, (None,), 7, 12),
        (SAMPLED, (None,), 14, 12),
        (SAMPLED, (None,), 15, 12),
    ]
    assert [part["seed"] for part in final.made] == [7, 14, 15]
    assert sum(final.weights) == pytest.approx(1)
    assert final.metrics["oof/rmse"] < 0.02  # the two err in opposite directions; the third has no weight


def test_the_best_alone_is_fitted_once(setting):
    refit, pool, trials = setting("best")
    assert [(m["trial"], m["fold"]) for m in refit.run(trials).made] == [(1, None)]
    assert len(pool.jobs) == 1


def test_a_bag_is_the_folds_of_the_best(setting):
    refit, pool, trials = setting("bag")
    assert [(m["trial"], m["fold"]) for m in refit.run(trials).made] == [(1, 0), (1, 1)]
    assert [job.folds for job in pool.jobs] == [(1,)]


def test_time_left_becomes_more_seeds(setting):
    refit, pool, trials = setting("blend", seconds=1000.0)
    refit.run(trials)
    assert [job.seed for job in pool.jobs] == [7, 14, 15, 16, 17]


def test_without_time_for_a_fit_the_trials_themselves_are_blended(setting):
    refit, pool, trials = setting("blend", seconds=0.9)
    final = refit.run(trials)
    assert pool.jobs == []
    assert final.texts == ("fold 0 of trial 1", "fold 0 of trial 2")
    assert final.members[0].startswith("trial 1 on the training rows, weight 0.")
    assert final.metrics["oof/rmse"] < 0.02


def test_what_was_not_fitted_on_all_rows_in_time_is_averaged_by_its_folds(setting):
    refit, pool, trials = setting("blend", seconds=5.0)
    trials[1].facts["fit_seconds"] = 100.0
    final = refit.run(trials)
    assert {job.params.get("bagging_fraction") for job in pool.jobs} == {None}
    assert [(part["trial"], part["fold"]) for part in final.made] == [(1, None), (2, 0)]


def test_what_cannot_end_in_time_is_not_begun(setting):
    refit, pool, trials = setting("blend", seconds=5.0, per_fit=1.5)
    refit.run(trials)
    assert 2 <= len(pool.jobs) < 5


def test_after_many_trials_the_best_are_judged_on_the_other_folds_before_the_choice(setting, tmp_path):
    refit, pool, trials = setting("blend")
    final = refit.run([*trials, *_many(tmp_path)])  # 17 trials: every second is looked at again
    assert [job.folds for job in pool.jobs[:8]] == [(1,)] * 8
    assert {job.folds for job in pool.jobs[8:]} == {(None,)}
    assert {part["trial"] for part in final.made} <= {1, 2}
    assert pool.jobs[8].rounds == round(10 * ROWS / 80)


def test_the_first_ones_tried_are_looked_at_again_however_many_are_better_on_one_fold(setting, tmp_path):
    refit, pool, trials = setting("blend")
    truth = np.linspace(0, 1, ROWS)[80:]
    many = [_trial(tmp_path / "m", 10 + n, {}, truth + 0.01, 0.01 + n / 1e6) for n in range(40)]
    refit.run([*trials, *many])
    looked = [job.folder.parent.name for job in pool.jobs if job.folds == (1,)]
    assert {f"{trial.number:04d}" for trial in trials} <= set(looked)


def test_luck_on_the_fold_that_a_trial_was_judged_on_is_not_counted_again(setting, tmp_path):
    refit, _, _ = setting("best")
    truth = np.linspace(0, 1, ROWS)[80:]
    lucky = _trial(tmp_path / "l", 30, {"elsewhere": 0.4}, truth, 0.0)
    sound = _trial(tmp_path / "l", 31, {"elsewhere": 0.1}, truth + 0.4, 0.4)
    final = refit.run([lucky, sound, *_many(tmp_path)])
    assert [part["trial"] for part in final.made] == [31]


def test_fits_that_take_less_than_expected_leave_time_to_look_at_more(setting, tmp_path):
    many = _many(tmp_path)
    looked = {}
    for per_fit in (0.01, 1.2):
        refit, pool, trials = setting("blend", seconds=9.0, per_fit=per_fit)
        refit.run([*trials, *many])
        looked[per_fit] = _looked(pool)
    assert 2 <= looked[1.2] < looked[0.01] <= 8


def test_a_best_alone_keeps_time_for_one_fit_and_looks_with_the_rest(setting, tmp_path):
    refit, pool, trials = setting("best", seconds=8.0, per_fit=1.0)
    refit.run([*trials, *_many(tmp_path)])
    assert _looked(pool) == 8


def test_folds_that_a_second_look_fits_are_not_paid_for_twice(setting, tmp_path, monkeypatch):
    monkeypatch.setattr("leaflab.search.refitting._FEW", ROWS + 1)
    refit, pool, trials = setting("blend", seconds=100.0, per_fit=0.1)
    every = [*trials, *_many(tmp_path)]
    looks = refit.members.needed([Part(trial, 1) for trial in every[:8]])
    assert refit.reserve(every) == pytest.approx(looks + 2.0)
    refit.run(every)
    assert _looked(pool) == len(pool.jobs) == 8


def test_so_few_that_there_is_nothing_to_choose_from_are_not_looked_at_again(setting, tmp_path):
    refit, pool, trials = setting("blend", seconds=80.0)
    many = _many(tmp_path)
    for trial in many:
        trial.facts["fit_seconds"] = 60.0
    final = refit.run([*trials, *many])
    assert {job.folds for job in pool.jobs} == {(None,)}
    assert {part["trial"] for part in final.made} == {1, 2}


def test_few_rows_are_blended_by_folds(setting, monkeypatch):
    refit, pool, trials = setting("blend")
    monkeypatch.setattr("leaflab.search.refitting._FEW", ROWS + 1)
    final = refit.run(trials)
    assert {job.folds for job in pool.jobs} == {(1,)}
    assert sorted({(part["trial"], part["fold"]) for part in final.made}) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_fold_that_the_deadline_cut_short_is_recorded_with_its_rounds(setting):
    refit, pool, trials = setting("bag")
    pool.state = "deadline"
    assert [(part["fold"], part["rounds"]) for part in refit.run(trials).made] == [(0, None), (1, 10)]


def test_time_is_kept_for_the_final_model_only_where_it_suffices_for_a_fit(setting):
    kept = {}
    for seconds in (1000.0, 6.0, 2.0):
        refit, _, trials = setting("blend", seconds=seconds)
        kept[seconds] = refit.reserve(trials) - 0.02 * seconds
    assert 3.0 < kept[1000.0] < 20.0
    assert kept[6.0] == pytest.approx(3.0)  # half of the budget at most
    assert kept[2.0] == 0  # the folds will have to do: nothing is kept back in vain


def test_time_that_no_longer_suffices_for_a_fit_is_left_to_the_trials(setting):
    """Trials of ten seconds in a budget of twenty-five: after two of them a final fit would end too late."""
    refit, pool, trials = setting("blend", seconds=25.0)
    slow = [replace(t, facts={**t.facts, "fit_seconds": 9.0}) for t in trials[:2]]
    pool.clock[0] += 10.0
    assert refit.reserve(slow[:1]) > 8.0
    pool.clock[0] += 6.0
    assert refit.reserve(slow) == pytest.approx(0.5)


def test_who_asks_for_an_end_waits_ten_seconds_for_the_final_model_and_no_longer(setting):
    refit, pool, trials = setting("blend", per_fit=4.0)
    refit.members.stopping.asked = True
    refit.run(trials)
    assert pool.told == ["", "", "deadline"]
    assert len(pool.jobs) == 3
