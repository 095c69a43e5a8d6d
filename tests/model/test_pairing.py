"""Which pairs of columns become features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.model.encoding import fit_encoder
from leaflab.model.pairing import _Screen, telling_pairs
from leaflab.scorer import Column, typed
from leaflab.scorer.encoder import Encoder
from leaflab.values import Dataset, Roles

COLUMNS = (*(Column(name, "number") for name in "abcd"), Column("few", "number"), Column("kind", "category"))


def rows(task="binary", count=3000, alone=False):
    """A target that the distance of two columns tells, or, `alone`, one column by itself."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(count, 4)), columns=list("abcd"))
    frame["few"], frame["kind"] = random.integers(0, 3, count), random.choice(["x", "y"], count)
    gap = np.abs(frame["a"] if alone else frame["a"] - frame["b"]) - 1 + random.normal(size=count) / 4
    frame["y"] = {"binary": (gap > 0).astype(int), "regression": gap, "multiclass": np.digitize(gap, [-0.5, 0.5])}[task]
    return frame


def dataset(task):
    classes = {"binary": (0, 1), "regression": (), "multiclass": (0, 1, 2)}[task]
    return Dataset("d", task, Roles(target="y"), classes, COLUMNS, {"train": pa.table({})}, {})


def chosen(task="binary", count=3000, most=3, alone=False, **changes):
    made, raw = replace(dataset(task), **changes), rows(task, count, alone)
    frame = typed(raw, COLUMNS).assign(y=raw["y"])
    return telling_pairs(made, fit_encoder(made, frame), frame, most), frame


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_the_pair_that_tells_stands_first(task):
    pairs, frame = chosen(task)
    assert pairs[0].name in ("a - b", "b - a")
    assert len(pairs) <= 3
    assert not {"few", "kind"} & {part for f in pairs for part in (f.column, f.state["other"])}
    gap = Encoder(pairs[:1]).encode(frame)[:, 0]
    np.testing.assert_allclose(np.abs(gap), np.abs(frame["a"] - frame["b"]))


def test_the_same_rows_give_the_same_pairs():
    assert chosen()[0] == chosen()[0]


@pytest.mark.parametrize("how", [{"most": 0}, {"count": 1999}, {"monotone": {"c": 1}}, {"classes": tuple(range(31))}])
def test_there_are_none_where_they_would_do_harm(how):
    assert chosen(**how)[0] == ()


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_there_are_none_where_they_do_not_pay_on_rows_that_they_were_not_chosen_on(task):
    assert chosen(task, alone=True)[0] == ()


def test_a_table_of_one_number_has_none():
    one = (COLUMNS[0], COLUMNS[-1])
    assert chosen(columns=one)[0] == ()


def test_many_pairs_that_tell_the_same_do_not_crowd_each_other_out():
    random, count = np.random.default_rng(0), 4000
    strong, weak = random.normal(size=count), random.normal(size=(count, 4))
    target = strong + 0.45 * weak.sum(axis=1) + random.normal(size=count) / 2
    alike = strong[:, None] + random.normal(size=(count, 24)) * 0.4
    screen = _Screen(1, [], random.normal(size=(count, 1)), np.hstack([weak, alike]), target)
    assert screen.best(np.full(count, True), 4)[0] >= weak.shape[1]  # each of them gains less than a weak one
