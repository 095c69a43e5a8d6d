from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaflab.report.slices import find_slices, holm, slice_losses
from leaflab.scorer import Column

COLUMNS = (Column("x", "number"), Column("colour", "category"), Column("day", "time"), Column("open", "boolean"))


def table(rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    return pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "day": days.astype("datetime64[us]"),
            "open": rng.integers(0, 2, rows).astype(float),
        }
    )


def test_slices_are_categories_quantiles_periods_and_gaps():
    frame = table()
    slices = {s.name: s.mask for s in find_slices(frame, COLUMNS)}
    assert "colour = red" in slices and "x is missing" in slices and "open = true" in slices
    assert any("≤ day <" in name and "2024-" in name for name in slices)
    quantiles = [mask for name, mask in slices.items() if "≤ x" in name]
    assert len(quantiles) == 4
    assert (np.sum(quantiles, axis=0) == frame["x"].notna()).all()


def test_a_weak_slice_is_found_first_and_named():
    frame = table()
    rng = np.random.default_rng(1)
    loss = rng.exponential(1.0, len(frame)) * np.where(frame["colour"] == "blue", 1.5, 1.0)
    found = slice_losses(find_slices(frame, COLUMNS), loss)
    assert found[0].name == "colour = blue" and found[0].adjusted < 0.001
    assert found[0].excess == pytest.approx(0.5, abs=0.15)


def test_where_nothing_differs_hardly_anything_is_found():
    rng = np.random.default_rng(2)
    frame = table(1000)
    slices = find_slices(frame, COLUMNS)
    false = sum(slice_losses(slices, rng.exponential(1.0, 1000))[0].adjusted < 0.05 for _ in range(100))
    assert false <= 12


def test_rows_hard_for_every_model_have_an_ordinary_skill():
    frame = table()
    hard = np.where(frame["colour"] == "red", 3.0, 1.0) * np.random.default_rng(3).uniform(0.5, 1.5, len(frame))
    (first, *_) = slice_losses(find_slices(frame, COLUMNS), hard * 0.8, reference=hard)
    assert first.name == "colour = red" and first.skill == pytest.approx(first.rest_skill)


def test_holm_is_never_smaller_and_keeps_the_order():
    p = [0.001, 0.2, 0.03, 0.04]
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert np.argsort(adjusted, kind="stable").tolist() == np.argsort(p).tolist()
