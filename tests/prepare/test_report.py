"""The data report: one page that needs nothing else, whatever the columns are called."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from leaflab.prepare.default import Default
from leaflab.prepare.profile import profiles, psi
from leaflab.prepare.report import report
from leaflab.split.auto import Auto
from leaflab.values import PARTS, Dataset, Roles


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    rows = 800
    x = rng.normal(size=rows)
    raw = pa.table(
        {
            "<script>alert(1)</script>": x,
            "noise & more": rng.normal(size=rows),
            "kind": rng.choice(["a<b", "c", None], rows),
            "when": np.datetime64("2024-01-01", "us") + rng.integers(0, 99, rows).astype("timedelta64[D]"),
            "constant": ["k"] * rows,
            "y": pa.array(np.where(x + rng.normal(size=rows) > 0.5, "yes", "no"), mask=np.arange(rows) % 50 == 0),
        }
    )
    prepared = Default().clean(raw, Roles(target="y"))
    codes = Auto().assign(prepared, 0)
    parts = {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}
    made = Dataset("toy", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {"train": "d1"})
    issue = {"row_id": "r1", "given": "no", "suggested": "yes", "quality": 0.01}
    labels = {"label_issues": [issue], "label_error_rate": 0.04}
    facts = {**prepared.facts, "notes": prepared.notes, **Default().check(made), **labels}
    return replace(made, facts=facts)


def test_the_page_is_whole_and_safe(dataset):
    page = report(dataset)
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=|https?://", page)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "target_null" in page
    assert "constant" in page
    assert "4.0% of the training labels" in page
    assert page.count("<svg") >= 7


def test_a_dataset_without_a_test_part_has_a_page(dataset):
    parts = {**dataset.parts, "test": dataset.parts["test"].slice(0, 0)}
    assert "toy" in report(replace(dataset, parts=parts))


def test_profiles_put_the_strongest_first(dataset):
    target, first, *rest = profiles(dataset)
    assert target.name == "y"
    assert first.name.startswith("<script>")
    assert all(p.strength <= first.strength for p in rest)
    kind = next(p for p in rest if p.name == "kind")
    assert kind.missing["train"] == pytest.approx(1 / 3, abs=0.06)
    assert sum(kind.shares["train"]) == pytest.approx(1.0)


def test_a_shift_is_seen():
    assert psi([0.5, 0.5], [0.5, 0.5]) == 0
    assert psi([0.5, 0.5], [0.8, 0.2]) > 0.25
