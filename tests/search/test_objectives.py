from __future__ import annotations

import numpy as np
import optuna
import pytest

from leaflab.errors import ConfigError
from leaflab.metric.probability import LogLoss
from leaflab.metric.ranking import RocAuc
from leaflab.search.base import Measure
from leaflab.search.objectives import Limit, Objectives, key_of
from leaflab.values import Trial


def trial(number, value, folder="x", **others):
    return Trial(number, "complete", {}, value, facts={key_of(k): v for k, v in others.items()}, files=folder)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("latency_ms <= 5", Limit("latency_ms", "<=", 5.0)),
        ("latency_ms<5", Limit("latency_ms", "<=", 5.0)),
        (" roc_auc >= .9 ", Limit("roc_auc", ">=", 0.9)),
        ("model_bytes <= 1e6", Limit("model_bytes", "<=", 1e6)),
        ("slice(sex= Female) >= 0.5", Limit("slice(sex= Female)", ">=", 0.5)),
        ("worst(a <= b) <= 1", Limit("worst(a <= b)", "<=", 1.0)),
    ],
)
def test_a_limit_is_read(text, limit):
    assert Limit.read(text) == limit


@pytest.mark.parametrize("text", ["latency_ms", "latency_ms <= ", "<= 5", "latency_ms == 5", "latency_ms <= 1.2.3", ""])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ConfigError, match=r"`search\.constraints` must be NAME <= NUMBER"):
        Limit.read(text)


@pytest.mark.parametrize("metric", [LogLoss(), RocAuc()])
def test_the_front_is_optunas(metric):
    aims = Objectives(metric, ("latency_ms", "roc"), measures={"roc": Measure("maximize", lambda rows, scores: 0.0)})
    random = np.random.default_rng(0)
    study = optuna.create_study(directions=aims.directions)
    trials = []
    for number in range(60):
        values = random.integers(0, 40, 3).astype(float)
        study.add_trial(optuna.trial.create_trial(values=list(values)))
        trials.append(trial(number, values[0], latency_ms=values[1], roc=values[2]))
    front = aims.front(trials)
    values = {tuple(aims.values(t)) for t in front}
    assert values == {tuple(t.values) for t in study.best_trials}
    assert len(values) == len(front) > 2
    sign = 1 if metric.direction == "minimize" else -1
    assert [sign * t.value for t in front] == sorted(sign * t.value for t in front)
    (chosen,) = aims.eligible(trials)
    assert chosen == front[0]


def test_the_cheapest_good_enough_one_of_the_front_is_taken_where_that_is_asked_for():
    aims = Objectives(LogLoss(), ("latency_ms",), within=0.1)
    trials = [trial(n, *pair) for n, pair in enumerate([(1.0,), (1.09,), (1.2,)])]
    trials = [trial(t.number, t.value, latency_ms=cost) for t, cost in zip(trials, (9, 4, 1), strict=True)]
    assert aims.eligible(trials) == [trials[1]]
    assert Objectives(LogLoss(), ("latency_ms",)).eligible(trials) == [trials[0]]


def test_a_limit_decides_what_may_become_the_model():
    limit = Limit.read("latency_ms <= 5")
    trials = [trial(0, 0.1, latency_ms=9.0), trial(1, 0.3, latency_ms=5.0), trial(2, 0.2, latency_ms=4.0)]
    aims = Objectives(LogLoss(), (), (limit,))
    assert aims.eligible(trials) == [trials[2]]
    assert Objectives(LogLoss(), (), (limit,), within=0.1).eligible(trials) == trials[1:]
    assert aims.sentences(trials) == []
    tight = Objectives(LogLoss(), ("latency_ms",), (Limit.read("latency_ms <= 2"),))
    assert (tight.eligible(trials), tight.front(trials)) == ([trials[2]], [])
    assert tight.sentences(trials) == ["no trial keeps latency_ms <= 2 (4): trial 2 misses it least and was taken"]


def test_a_trial_without_a_model_is_neither_measured_nor_limited():
    aims = Objectives(LogLoss(), ("latency_ms",), (Limit.read("latency_ms <= 5"),))
    failed = Trial(0, "failed", {}, None)
    assert aims.measured(failed, []) == failed
    assert aims.excesses(failed) == {}
    assert aims.eligible([failed]) == []


def test_costs_are_those_of_one_model(tmp_path):
    for number in range(2):
        np.save(tmp_path / f"scores-{number}.npy", np.zeros(3))
    facts = {"fit_seconds": 4.0, "size_bytes": 200.0, "predict_ms_per_1k_rows": 3.0, "best_iteration": 50.0}
    facts |= {"fold/0": 0.4, "fold/1": 0.6}
    aims = Objectives(LogLoss(), ("train_seconds", "model_bytes", "latency_ms", "rounds"))
    one = Trial(0, "complete", {}, 0.5, facts=facts, files=tmp_path)
    measured = aims.measured(one, [np.arange(3), np.arange(3, 6)])
    assert aims.values(measured) == [0.5, 2.0, 100.0, 3.0, 50.0]
