"""Every option of `conf/split` keeps the contract of splits."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from leaflab.prepare.default import Default
from leaflab.values import ROW_ID, Roles

OPTIONS = sorted((Path(__file__).parents[2] / "conf" / "split").glob("*.yaml"))


def build(path, **changed):
    plain = yaml.safe_load(path.read_text(encoding="utf-8")) | changed
    module, _, name = plain.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name)(**plain)


def split_of(path):
    return build(path, **({"column": "part"} if path.stem == "column" else {}))


def prepared(split, task, order=None):
    rng = np.random.default_rng(3)
    rows = 900
    raw = pa.table(
        {
            "x": rng.normal(size=rows),
            "when": np.arange(rows) // 2,
            "who": [f"g{n}" for n in rng.integers(0, 90, rows)],
            "part": rng.choice(["train", "valid", "test"], rows),
            "y": rng.normal(size=rows) if task == "regression" else rng.choice(["a", "b", "c"], rows),
        }
    )
    raw = raw if order is None else raw.take(order)
    return Default().clean(raw, Roles(target="y", time="when", group="who"), split.aside)


def test_there_are_splits_to_check():
    assert len(OPTIONS) >= 6


@pytest.mark.parametrize("task", ["multiclass", "regression"])
@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_every_row_has_one_part_and_every_part_has_rows(path, task):
    split = split_of(path)
    table = prepared(split, task)
    parts = split.assign(table, 0)
    assert parts.shape == (table.table.num_rows,)
    assert parts.dtype == np.int8
    assert set(parts) == {0, 1, 2}
    assert np.mean(parts == 0) >= 0.3


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_depends_on_the_rows_and_the_seed_not_on_their_order(path):
    split = split_of(path)
    order = np.random.default_rng(1).permutation(900)
    plain, shuffled = prepared(split, "multiclass"), prepared(split, "multiclass", order)
    one = dict(zip(plain.table[ROW_ID].to_pylist(), split.assign(plain, 5), strict=True))
    other = dict(zip(shuffled.table[ROW_ID].to_pylist(), split.assign(shuffled, 5), strict=True))
    assert one == other
    assert np.array_equal(split.assign(plain, 5), split.assign(plain, 5))
