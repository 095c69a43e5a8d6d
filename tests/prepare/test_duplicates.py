"""Rows that repeat others: exactly, nearly, or with another target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.default import Default
from leaflab.prepare.duplicates import near_rows, repeated
from leaflab.split.column import Column
from leaflab.split.group import Group
from leaflab.split.random import Random
from leaflab.split.shares import settled
from leaflab.split.stratified import Stratified
from leaflab.split.time import Time
from leaflab.values import ROW_ID, Roles


def test_the_first_of_equal_rows_stays():
    table = pa.table({"a": [1.0, None, 1.0, None, 1.0], "b": ["x", "y", "x", "y", "z"]})
    assert repeated(table, np.ones(5, bool))[0].tolist() == [False, False, True, True, False]
    assert repeated(table, np.array([False, True, True, True, True]))[0].tolist() == [False, False, False, True, False]


def test_near_rows_are_found_however_the_grid_falls():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{n}": rng.normal(5, 2, 600) for n in range(12)} | {"k": "a"})
    near = frame.iloc[:200].copy()
    near[[f"x{n}" for n in range(12)]] += rng.uniform(-1, 1, (200, 12)) * 1e-5
    both = pd.concat([frame, near], ignore_index=True)
    spreads = {f"x{n}": 2.0 for n in range(12)}
    rows, firsts = near_rows(both, spreads, 3)
    assert rows.tolist() == [*range(200), *range(600, 800)]
    assert firsts.tolist() == [*range(200), *range(200)]
    assert not len(near_rows(frame, spreads, 3)[0])


@pytest.mark.parametrize("split", [Random(), Stratified(), Stratified(exact=True)])
def test_no_near_duplicate_stands_in_two_parts(split):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(800, 4))
    x = np.vstack([x, x[:300] + rng.uniform(-1, 1, (300, 4)) * 1e-6])
    raw = pa.table({f"x{n}": x[:, n] for n in range(4)} | {"y": rng.integers(0, 2, 1100)})
    prepared = Default().clean(raw, Roles(target="y"))
    parts = split.assign(prepared, 0)
    assert prepared.facts["near_duplicates"] == 600
    assert (parts[800:] == parts[:300]).all()


def test_growth_moves_no_near_duplicate():
    rng = np.random.default_rng(1)
    x = rng.normal(size=500)
    few = pa.table({"x": x, "y": rng.integers(0, 2, 500)})
    grown = pa.concat_tables([few, pa.table({"x": x[:100] + 1e-7, "y": few["y"].slice(0, 100)})])
    before = Random().assign(Default().clean(few, Roles(target="y")), 0)
    after = Random().assign(Default().clean(grown, Roles(target="y")), 0)
    assert np.array_equal(before, after[:500])


def test_conflicting_targets_are_told():
    raw = pa.table({"a": [*range(20), 3, 4], "y": [*[0, 1] * 10, 0, 1]})
    prepared = Default().clean(raw, Roles(target="y"))
    assert any("4 rows have the same features" in note for note in prepared.notes)


def test_rows_of_few_values_are_kept_and_told_apart():
    rng = np.random.default_rng(0)
    columns = {"class": rng.choice(["1st", "2nd", "3rd"], 900), "sex": rng.choice(["m", "f"], 900)}
    raw = pa.table({**columns, "y": rng.integers(0, 2, 900)})
    prepared = Default().clean(raw, Roles(target="y"))
    assert prepared.facts["duplicates"] == 0
    assert len(set(prepared.table[ROW_ID].to_pylist())) == 900
    assert set(Random().assign(prepared, 0)) == {0, 1, 2}
    assert Default(duplicates="drop").clean(raw, Roles(target="y")).table.num_rows == 12


def test_a_table_that_was_loaded_twice_or_more_is_known_by_it():
    rng = np.random.default_rng(0)
    once = pa.table({"x": rng.normal(size=100), "y": rng.integers(0, 2, 100)})
    prepared = Default().clean(pa.concat_tables([once] * 4), Roles(target="y"))
    assert prepared.table.num_rows == 100
    assert prepared.facts["duplicates"] == 300


def visits():
    rng = np.random.default_rng(0)
    columns = {"who": [f"p{n // 3}" for n in range(60)], "x": rng.normal(size=60), "y": [0, 1] * 30}
    return pa.table(columns | {"when": [n % 3 if n // 3 % 2 else 2 - n % 3 for n in range(60)]})


@pytest.mark.parametrize(("keep", "place"), [("first", (0, 0)), ("last", (2, 2)), ("newest", (0, 2))])
def test_one_row_a_key_stays(keep, place):
    prepared = Default(key={"columns": ["who"], "keep": keep}).clean(visits(), Roles(target="y", time="when"))
    assert prepared.lines.tolist() == [3 * n + place[n % 2] for n in range(20)]
    assert prepared.facts["quarantined"] == {"duplicate_key": 40}
    assert prepared.facts["rows_out"] == 20
    assert f"the {keep} one is kept" in prepared.quarantine[0].reason


def test_a_row_without_its_key_has_no_equals():
    table = visits().set_column(0, "who", pa.array([None if n < 10 else f"p{n // 3}" for n in range(60)]))
    prepared = Default(key={"columns": ["who"]}, near=0).clean(table, Roles(target="y"))
    assert set(range(10)) <= set(prepared.lines.tolist())


def test_the_newest_needs_a_time():
    with pytest.raises(ConfigError, match="needs a time column"):
        Default(key={"columns": ["who"], "keep": "newest"}).clean(visits(), Roles(target="y"))
    with pytest.raises(DataError, match=r"`prepare\.key\.columns` must name a column"):
        Default(key={"columns": ["whom"]}).clean(visits(), Roles(target="y"))


@pytest.mark.parametrize("kind", ["time", "group", "column"])
def test_near_duplicates_of_any_split_stand_together(kind):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 4))
    x = np.vstack([x, x[:200] + rng.uniform(-1, 1, (200, 4)) * 1e-6])
    raw = pa.table(
        {f"x{n}": x[:, n] for n in range(4)}
        | {"y": rng.integers(0, 2, 800), "when": rng.permutation(800), "who": rng.integers(0, 80, 800)}
        | {"part": rng.choice(["train", "valid", "test"], 800)}
    )
    split = {"time": Time(), "group": Group(), "column": Column(column="part")}[kind]
    roles = {"time": {"time": "when"}, "group": {"group": "who", "drop": ["when"]}, "column": {"drop": ["when", "who"]}}
    roles = Roles(target="y", **{"drop": ["who", "part"] if kind == "time" else [], **roles[kind]})
    if kind == "group":
        roles = roles.resolved(drop=["when", "part"])
    prepared = Default().clean(raw, roles, split.aside)
    first = split.assign(prepared, 0)
    parts, apart = settled(first, prepared)
    assert len(apart) > 20
    assert (parts[first == 2] == 2).all()
    pairs = np.column_stack([parts[:200], parts[600:]])
    assert all(len({part for part in pair if part >= 0}) == 1 for pair in pairs.tolist())
    told = prepared.set_aside(apart, "near_duplicate", "so")
    assert told.facts["rows_out"] == 800 - len(apart)
    assert told.facts["quarantined"] == {"near_duplicate": len(apart)}
    assert [q.line for q in told.quarantine] == apart.tolist()
