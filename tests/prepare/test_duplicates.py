"""Rows that repeat others: exactly, nearly, or with another target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.prepare.default import Default
from leaflab.prepare.duplicates import near_keys, repeated
from leaflab.split.random import Random
from leaflab.split.stratified import Stratified
from leaflab.values import ROW_ID, Roles


def test_the_first_of_equal_rows_stays():
    table = pa.table({"a": [1.0, None, 1.0, None, 1.0], "b": ["x", "y", "x", "y", "z"]})
    assert repeated(table, np.ones(5, bool)).tolist() == [False, False, True, True, False]
    assert repeated(table, np.array([False, True, True, True, True])).tolist() == [False, False, False, True, False]


def test_near_rows_share_a_key_however_the_grid_falls():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{n}": rng.normal(5, 2, 600) for n in range(12)} | {"k": "a"})
    near = frame.iloc[:200].copy()
    near[[f"x{n}" for n in range(12)]] += rng.uniform(-1, 1, (200, 12)) * 1e-5
    both = pd.concat([frame, near], ignore_index=True)
    ids = np.arange(len(both)).astype(str).astype(object)
    keys, rows = near_keys(ids, both, 3)
    assert (keys[600:] == ids[:200]).all()
    assert rows == 400
    assert near_keys(ids[:600], frame, 3)[1] == 0


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
