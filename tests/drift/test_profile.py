"""Sketches agree with exact answers, however the rows come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from leaflab.drift.ks import distance
from leaflab.drift.profile import Sample, kinds_of, profile, reference_profile
from leaflab.drift.sketch import BINS
from leaflab.drift.wasserstein import Wasserstein

RNG = np.random.default_rng(0)
SHAPES = {
    "normal": (RNG.normal(size=30_000), RNG.normal(0.1, 1.1, size=7_000)),
    "skewed": (RNG.lognormal(size=30_000), RNG.lognormal(0.1, 1, size=7_000)),
    "heavy zero": (
        np.where(RNG.random(30_000) < 0.7, 0, RNG.normal(size=30_000)),
        np.where(RNG.random(7_000) < 0.65, 0, RNG.normal(size=7_000)),
    ),
    "whole": (RNG.poisson(4, 30_000).astype(float), RNG.poisson(4.2, 7_000).astype(float)),
    "few": (RNG.normal(size=200), RNG.normal(0.3, 1, size=150)),
}


def cut(values: np.ndarray, size: int = 1_000) -> list[pa.RecordBatch]:
    return pa.table({"x": values}).to_batches(max_chunksize=size)


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_are_those_of_scipy_up_to_the_stated_error(shape: str) -> None:
    before, now = SHAPES[shape]
    reference = reference_profile(lambda: cut(before), {"x": "number"}).columns["x"]
    current = profile(cut(now), {"x": reference}).columns["x"]
    gap, p_value = distance(reference, current)
    exact = ks_2samp(before, now, method="asymp")
    assert exact.statistic - max(reference.error, current.error) - 1e-12 <= gap <= exact.statistic + 1e-12
    assert reference.error <= max(2 / BINS, 1.5 / len(before))
    assert p_value == pytest.approx(exact.pvalue, abs=0.02)
    length = Wasserstein().measure(reference, current)[0]
    assert length == pytest.approx(wasserstein_distance(before, now) / before.std(), rel=0.05, abs=0.003)
    assert current.mean == pytest.approx(now.mean())
    assert current.deviation == pytest.approx(now.std())


def test_how_rows_are_cut_into_batches_does_not_matter() -> None:
    before, now = SHAPES["skewed"]
    reference = reference_profile(lambda: cut(before), {"x": "number"})
    one, many = (profile(cut(now, size), reference.columns).columns["x"] for size in (10_000, 77))
    assert (one.counts == many.counts).all()
    assert one.rows == many.rows == len(now)


def test_a_sample_is_uniform_over_the_stream() -> None:
    drawn = []
    for seed in range(30):
        sample = Sample(200, seed)
        for batch in pa.table({"i": np.arange(5_000)}).to_batches(max_chunksize=130):
            sample.update(batch)
        table = sample.table(batch.schema)
        assert table.num_rows == 200
        drawn.append(table["i"].to_numpy())
    assert np.mean(drawn) == pytest.approx(2_500, abs=80)
    assert len(np.unique(drawn[0])) == 200


def test_missing_infinite_and_unreadable_values_are_counted_apart() -> None:
    reference = reference_profile(lambda: cut(np.arange(100.0)), {"x": "number"})
    texts = pa.table({"x": pa.array(["1", None, "x", "3.5"])}).to_batches()
    odd = pa.table({"x": pa.array([np.inf, np.nan, None, 2.0])}).to_batches()
    one, other = (profile(batches, reference.columns).columns["x"] for batches in (texts, odd))
    assert (one.nulls, one.bad, one.present) == (1, 1, 2)
    assert (other.nulls, other.bad, other.present) == (2, 1, 1)


def test_kinds_by_arrow_type() -> None:
    table = pa.table({
        "n": [1], "f": [1.5], "t": pa.array([0], pa.timestamp("us")), "s": ["a"], "b": [True],
        "d": pa.array(["a"]).dictionary_encode(), "l": [[1]],
    })  # fmt: skip
    assert kinds_of(table.schema) == {
        "n": "number",
        "f": "number",
        "t": "time",
        "s": "level",
        "b": "level",
        "d": "level",
    }
    known = reference_profile(table.to_batches, kinds_of(table.schema))
    assert known.columns["d"].levels == {"a": 1}
