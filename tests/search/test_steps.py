from __future__ import annotations

import optuna
import pytest

from leaflab.errors import ConfigError
from leaflab.metric.probability import LogLoss
from leaflab.search.journal import Journal
from leaflab.search.objectives import Objectives
from leaflab.search.samplers import Tpe
from leaflab.search.space import distributions
from leaflab.search.steps import divided
from leaflab.search.study import Study
from leaflab.values import Trial

SPACE = {
    "steps": [{"trials": 3, "of": ["a"]}, {"trials": 2, "of": ["b", "c"]}],
    "a": {"low": 0.0, "high": 1.0},
    "b": {"low": 1, "high": 9},
    "c": ["x", "y"],
}


def opened(folder):
    steps, rest = divided(SPACE)
    varying, fixed = distributions(rest)
    study = Study(Journal(folder / "journal.log"), "s", Objectives(LogLoss()), optuna.pruners.NopPruner())
    study.prepare(Tpe(startup=1), 0, varying, fixed, steps)
    study.first([{}, {"b": 5, "other": 1}], {"a": 0.5, "b": 3, "c": "x"})
    return study


def done(study, folder, value):
    number, params = study.ask()
    study.tell(Trial(number, "complete", params, value, files=folder))
    return params


def test_a_step_varies_its_own_and_keeps_the_best_of_before(tmp_path):
    study = opened(tmp_path)
    assert [done(study, tmp_path, v) for v in (0.9, 0.5)] == [{}, {"b": 5, "other": 1}]
    first = [done(study, tmp_path, value) for value in (0.6, 0.2, 0.4)]
    assert all(p == {"b": 5, "other": 1, "a": p["a"]} for p in first)
    assert len({p["a"] for p in first}) == 3
    number, running = study.ask()
    assert (running["a"], running["other"]) == (first[1]["a"], 1)
    again = opened(tmp_path)
    assert again.interrupted() == [(number, running)]
    again.tell(Trial(number, "complete", running, 0.1, files=tmp_path))
    second = done(again, tmp_path, 0.3)
    assert second["a"] == first[1]["a"]
    last = done(again, tmp_path, 0.3)
    assert set(last) == {"a", "b", "c"}
    recorded = again._study.trials[3].params
    assert (recorded["b"], recorded["c"]) == (5, "x")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"trials": 3}], "must say trials and of"),
        (["a"], "must say trials and of"),
        ([{"trials": 0, "of": ["a"]}], "must have trials of 1 or more"),
        ([{"trials": 2, "of": ["z"]}], "must name parameters of the space, got 'z'"),
    ],
)
def test_a_step_that_is_none_is_refused(steps, said):
    with pytest.raises(ConfigError, match=said):
        divided({**SPACE, "steps": steps})
