from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from leaflab.errors import ConfigError
from leaflab.search.space import clamped, distributions

LOG = FloatDistribution(0.01, 0.3, log=True)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"low": 0.01, "high": 0.3, "log": True}, LOG),
        ("tag(log, interval(0.01, 0.3))", LOG),
        ("interval(0.5, 1)", FloatDistribution(0.5, 1.0)),
        ("int(interval(4, 64))", IntDistribution(4, 64)),
        ("int(tag(log, interval(4, 64)))", IntDistribution(4, 64, log=True)),
        ("range(4, 64, step=4)", IntDistribution(4, 60, step=4)),
        ("range(1, 10)", IntDistribution(1, 9)),
        ("choice(gbdt, dart)", CategoricalDistribution(("gbdt", "dart"))),
        ("choice(1, 2.5, true)", CategoricalDistribution((1, 2.5, True))),
        ({"low": 1, "high": 9}, IntDistribution(1, 9)),
        ({"low": 1, "high": 9, "step": 2}, IntDistribution(1, 9, step=2)),
        ({"low": 1, "high": 9, "type": "float"}, FloatDistribution(1, 9)),
        ([63, 255], CategoricalDistribution((63, 255))),
        ({"choices": ["a"]}, CategoricalDistribution(("a",))),
    ],
)
def test_every_spelling_of_a_range_is_read(spec, kind):
    assert distributions({"p": spec}) == ({"p": kind}, {})


def test_plain_values_are_fixed():
    assert distributions({"a": 3, "b": "gbdt", "c": False}) == ({}, {"a": 3, "b": "gbdt", "c": False})


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"low": 1}, "`search.space.p` needs 'high'"),
        ({"low": 1, "hihg": 2}, "`search.space.p` knows choices, high, log, low, step, type, got 'hihg'"),
        ({"low": 5, "high": 2}, "is no range"),
        ({"low": 0.0, "high": 2.0, "log": True}, "is no range"),
        ("uniform(1, 2)", "knows interval, range, choice, tag, int and float, got 'uniform'"),
        ([], "needs at least one choice"),
    ],
)
def test_a_wrong_range_is_refused_with_its_key(spec, said):
    with pytest.raises(ConfigError) as caught:
        distributions({"p": spec})
    assert said in str(caught.value)


def test_a_configuration_is_brought_into_the_space():
    varying = {"rate": LOG, "n": IntDistribution(4, 60, step=4), "kind": CategoricalDistribution(("a", "b"))}
    assert clamped({"rate": 1.0, "n": 31, "kind": "c", "other": 3}, varying) == {"rate": 0.3, "n": 32}
