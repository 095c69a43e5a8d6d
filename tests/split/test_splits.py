"""Every split on one table: shares, order, groups and growth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.default import Default
from leaflab.split.auto import Auto
from leaflab.split.column import Column
from leaflab.split.group import Group
from leaflab.split.random import Random
from leaflab.split.stratified import Stratified
from leaflab.split.time import Time
from leaflab.values import Roles

ROWS = 3000


def prepared(rows=ROWS, aside=(), **roles):
    rng = np.random.default_rng(0)
    raw = pa.table(
        {
            "x": np.arange(rows) * 0.5,
            "when": np.datetime64("2020-01-01", "us") + (np.arange(rows) // 3).astype("timedelta64[D]"),
            "who": [f"g{n}" for n in rng.integers(0, 60, rows)],
            "part": np.where(np.arange(rows) % 5 == 0, "datatest", "datatraining"),
            "y": np.where(np.arange(rows) % 7 == 0, "rare", "common"),
        }
    )
    return Default().clean(raw, Roles(target="y", **roles), aside)


@pytest.mark.parametrize("split", [Random(), Stratified(), Stratified(exact=True), Auto()])
def test_shares_are_met(split):
    parts = split.assign(prepared(), seed=0)
    assert np.mean(parts == 2) == pytest.approx(0.2, abs=0.02)
    assert np.mean(parts == 1) == pytest.approx(0.16, abs=0.02)


def test_exact_strata_are_exact():
    table = prepared()
    parts = Stratified(exact=True).assign(table, seed=0)
    rare = table.table["y"].to_numpy() == "rare"
    assert abs((parts[rare] == 2).sum() - 0.2 * rare.sum()) <= 1


@pytest.mark.parametrize("split", [Random(), Stratified(), Auto()])
def test_growth_moves_no_row(split):
    few, many = prepared(2000), prepared(3000)
    assert np.array_equal(split.assign(few, 1), split.assign(many, 1)[:2000])


def test_the_seed_changes_the_draw():
    assert not np.array_equal(Random().assign(prepared(), 0), Random().assign(prepared(), 1))


def test_no_test_set_wanted():
    for split in (Random(test_size=0), Time(test_size=0), Group(test_size=0)):
        parts = split.assign(prepared(time="when", group="who"), 0)
        assert set(parts) == {0, 1}


def test_groups_stay_whole():
    table = prepared(group="who")
    parts = Auto().assign(table, 0)
    groups = table.table["who"].to_numpy()
    assert all(len(set(parts[groups == g])) == 1 for g in set(groups))


def test_few_groups_still_fill_every_part():
    raw = pa.table({"x": range(40), "g": ["a", "b", "c"] * 13 + ["a"], "y": [0.5, 1.5, 2.5, 3.5] * 10})
    table = Default().clean(raw, Roles(target="y", group="g"))
    assert set(Group().assign(table, 0)) == {0, 1, 2}


def test_time_is_respected_and_moments_stay_whole():
    table = prepared(time="when")
    parts = Auto().assign(table, 0)
    when = table.table["when"].to_numpy()
    assert when[parts == 0].max() < when[parts == 1].min()
    assert when[parts == 1].max() < when[parts == 2].min()
    assert np.mean(parts == 2) == pytest.approx(0.2, abs=0.01)


def test_time_needs_moments():
    raw = pa.table({"x": range(10), "t": [1, 1, 1, 1, 1, 2, 2, 2, 2, 2], "y": [0, 1] * 5})
    with pytest.raises(DataError, match="different moments"):
        Time().assign(Default().clean(raw, Roles(target="y", time="t")), 0)


def test_the_table_names_its_parts():
    split = Column(column="part")
    table = prepared(aside=split.aside)
    parts = split.assign(table, 0)
    given = table.aside["part"].to_numpy()
    assert "part" not in table.table.column_names
    assert ((given == "datatest") == (parts == 2)).all()
    assert (parts == 1).any()
    with pytest.raises(DataError, match="must name a part"):
        Column(column="part", train=["datatraining"]).assign(table, 0)
    with pytest.raises(ConfigError, match="must name the column"):
        Column().aside  # noqa: B018


def test_a_rare_class_is_always_in_train():
    raw = pa.table({"x": range(300), "y": ["a", "b"] * 149 + ["c", "c"]})
    table = Default().clean(raw, Roles(target="y"))
    for seed in range(20):
        parts = Stratified().assign(table, seed)
        assert set(table.table["y"].to_numpy()[parts == 0]) == {"a", "b", "c"}


def test_a_class_that_comes_late_is_told():
    raw = pa.table({"x": range(300), "t": range(300), "y": ["a", "b"] * 140 + ["c"] * 20})
    with pytest.raises(DataError, match="class 'c' must stand in train"):
        Time().assign(Default().clean(raw, Roles(target="y", time="t")), 0)


@pytest.mark.parametrize("split", [Random, Stratified, Group])
def test_every_row_is_tested_once_over_the_folds(split):
    table = prepared(group="who")
    tested = sum((split(folds=5, fold=k).assign(table, 0) == 2).astype(int) for k in range(5))
    assert (tested == 1).all()
    assert (split(folds=5, fold=2).assign(table, 0) == 1).mean() == pytest.approx(0.16, abs=0.06)


def test_time_folds_learn_from_the_past_alone():
    table = prepared(time="when")
    when = table.table["when"].to_numpy()
    last = np.datetime64("1970-01-01", "us")
    for fold in range(4):
        parts = Time(folds=4, fold=fold).assign(table, 0)
        assert when[parts == 0].max() < when[parts == 1].min()
        assert when[parts == 1].max() < when[parts == 2].min()
        assert when[parts == 2].min() > last
        last = when[parts == 2].max()
    assert (parts == -1).sum() == 0
    assert last == when.max()


def test_gap_and_window():
    table = prepared(time="when")
    when = table.table["when"].to_numpy()
    day = np.timedelta64(1, "D")
    parts = Time(gap="10 days", window="200 days").assign(table, 0)
    assert when[parts == 1].min() - when[parts == 0].max() > 10 * day
    assert when[parts == 2].min() - when[parts == 1].max() > 10 * day
    assert when[parts == 0].max() - when[parts == 0].min() == 199 * day
    with pytest.raises(ConfigError, match="must read like"):
        Time(gap="soon").assign(table, 0)


def test_a_fold_that_is_not_there():
    with pytest.raises(ConfigError, match="must lie below"):
        Random(folds=3, fold=3)
    with pytest.raises(DataError, match="fewer folds"):
        raw = pa.table({"x": range(10), "t": [n // 2 for n in range(10)], "y": [0, 1] * 5})
        Time(folds=9).assign(Default().clean(raw, Roles(target="y", time="t")), 0)
