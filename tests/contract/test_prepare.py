"""Every option of `conf/prepare` keeps the contract of preparations."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from leaflab.scorer import typed
from leaflab.values import ROW_ID, Roles

FOLDER = Path(__file__).parents[2] / "conf" / "prepare"
MAKES_ROWS = ("windows",)  # one row a window, not one a row: tests/prepare/test_windows.py
OPTIONS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem not in MAKES_ROWS)


def keys(path):
    """The keys of an option, those it takes from another one first."""
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    for parent in plain.pop("defaults", []):
        plain = plain if parent == "_self_" else keys(path.with_stem(parent)) | plain
    return plain


def build(path):
    plain = keys(path)
    module, _, name = plain.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name)(**plain)


def raw(rows=400):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=rows)
    table = pa.table(
        {
            "number": noise,
            "text number": [f"{v:.2f}".replace(".", ",") for v in rng.normal(size=rows)],
            "kind": rng.choice([" red", "green ", "?", "blue"], rows),
            "when": [
                f"2024-0{m}-1{d}" for m, d in zip(rng.integers(1, 9, rows), rng.integers(0, 9, rows), strict=True)
            ],
            "y": [
                None if n % 50 == 0 else "yes" if v > 0.4 else "no" for n, v in enumerate(noise + rng.normal(size=rows))
            ],
        }
    )
    return pa.concat_tables([table, table.slice(1, 10)])


def test_there_are_preparations_to_check():
    assert len(OPTIONS) >= 1


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_rows_in_are_rows_out_plus_duplicates_plus_quarantined(path):
    prepared = build(path).clean(raw(), Roles(target="y"))
    facts = prepared.facts
    assert facts["rows_in"] == 410
    assert facts["rows_out"] == prepared.table.num_rows
    assert facts["rows_in"] == facts["rows_out"] + facts["duplicates"] + sum(facts["quarantined"].values())
    assert len(prepared.quarantine) == sum(facts["quarantined"].values())


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_the_rules_type_a_raw_table_as_the_preparation_did(path):
    table = raw().slice(1, 40)
    prepared = build(path).clean(raw(), Roles(target="y"))
    names = [c.name for c in prepared.columns]
    served = typed(table.to_pandas(), prepared.columns)
    trained = prepared.table.slice(0, 40).select(names).to_pandas()
    assert served.astype(trained.dtypes).equals(trained)


@pytest.mark.parametrize("path", OPTIONS, ids=lambda p: p.stem)
def test_every_row_has_an_id_and_a_target(path):
    prepared = build(path).clean(raw(), Roles(target="y"))
    assert prepared.table[ROW_ID].null_count == prepared.table["y"].null_count == 0
    assert prepared.classes == ("no", "yes")
