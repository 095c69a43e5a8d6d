"""Samplers refuse what they cannot serve before the first trial."""

from __future__ import annotations

import tracemalloc

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from leaflab.errors import ConfigError
from leaflab.search.samplers import Grid, check, size


def test_a_grid_holds_every_combination_once() -> None:
    space = {
        "rate": FloatDistribution(0.01, 1.0, log=True),
        "leaves": IntDistribution(4, 6),
        "kind": CategoricalDistribution(("a", "b")),
    }
    sampler = Grid(points=3).make(0, 0, space)
    assert size(sampler, space) == 3 * 3 * 2
    check(Grid(points=3), space, ["minimize"])


def test_a_grid_that_no_memory_holds_is_refused_before_it_is_made() -> None:
    space = {f"p{i}": FloatDistribution(0.0, 1.0) for i in range(12)}
    tracemalloc.start()
    with pytest.raises(ConfigError, match=r"at most 100,000 combinations, got 16777216: set search/space=small"):
        check(Grid(), space, ["minimize"])
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
