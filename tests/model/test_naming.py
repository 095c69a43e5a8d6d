"""Which numbers are names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaflab.model.naming import name_of, names_among
from leaflab.scorer.encoder import Encoder, Feature

ROWS, VALUES = 8000, 200


def table(seed=0, outputs=1):
    """Values, the parts of a table, and noise."""
    random = np.random.default_rng(seed)
    values = random.integers(0, VALUES, ROWS).astype(float)
    return random, values, random.integers(0, 10, ROWS), random.normal(size=(ROWS, outputs))


def is_name(values, left, apart):
    return names_among({3: values}, left, apart) == [3]


def own(random, size=0.5):
    """What each value stands for, whatever the values beside it do."""
    return size * random.normal(size=VALUES)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_what_the_rows_of_a_value_share_makes_it_a_name(seed, outputs):
    random, values, apart, left = table(seed, outputs)
    left[:, -1] += own(random)[values.astype(int)]
    assert is_name(values, left, apart)
    values[::7] = np.nan
    assert is_name(values, left, apart)


@pytest.mark.parametrize("seed", range(20))
def test_noise_makes_none(seed):
    _, values, apart, left = table(seed)
    assert not is_name(values, left, apart)


@pytest.mark.parametrize("seed", range(5))
def test_what_neighbours_share_as_well_makes_none(seed):
    """A curve, which a tree follows with cuts between the values."""
    _, values, apart, left = table(seed)
    assert not is_name(values, left + np.sin(values / 15)[:, None], apart)


@pytest.mark.parametrize("seed", range(5))
def test_a_name_on_a_curve_is_one(seed):
    random, values, apart, left = table(seed)
    told = np.linspace(-1, 1, VALUES) + own(random)
    assert is_name(values, left + told[values.astype(int)][:, None], apart)


def test_what_one_name_tells_is_no_evidence_for_another():
    """Of a day and its month, the month tells nothing more; of two codes, each tells something."""
    random, day, apart, left = table()
    code = random.integers(0, VALUES, ROWS).astype(float)
    left += (own(random, 0.8)[day.astype(int)] + own(random)[code.astype(int)])[:, None]
    assert names_among({0: day // 8, 1: code, 2: day}, left, apart) == [2, 1]
    assert names_among({0: day // 8}, left, apart) == [0]


def test_a_value_that_no_other_part_has_is_no_evidence():
    """Days to come have none of the days there were."""
    random, values, _, left = table()
    left[:, 0] += own(random)[values.astype(int)]
    assert not is_name(values, left, (values > VALUES / 2).astype(int))


def test_one_value_that_is_unlike_the_others_is_not_sure():
    _, values, apart, left = table()
    left[values == 7, 0] += 3
    assert not is_name(values, left, apart)


@pytest.mark.parametrize("values", [np.full(50, np.nan), np.zeros(50)])
def test_nothing_to_tell_apart_is_no_name(values):
    assert not is_name(values, np.zeros((50, 1)), np.arange(50) % 10)


def test_the_commonest_value_has_the_first_code():
    frame = pd.DataFrame({"code": [4.5, 9.0, 9.0, np.nan, 4.5, 9.0, -1.0, 0.0]})
    encoder = Encoder((Feature("code", "code", "number"),))
    made = name_of(encoder, 0, encoder.encode(frame)[:, 0])
    assert (made.name, made.column, made.categorical) == ("code as a category", "code", True)
    found = Encoder((*encoder.features, made)).encode(pd.DataFrame({"code": [9.0, 4.5, -1.0, 0.0, np.nan, 3.0, 99.0]}))
    np.testing.assert_array_equal(found[:, 1], [0, 1, 2, 3, np.nan, np.nan, np.nan])
