"""Shifts of known size are seen, by the tests made for them, in the column they were put into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from leaflab.drift.base import Drift, Pair
from leaflab.drift.categories import Categories
from leaflab.drift.chi2 import Chi2
from leaflab.drift.classifier import Classifier
from leaflab.drift.jensen_shannon import JensenShannon
from leaflab.drift.ks import KS
from leaflab.drift.missing import Missing
from leaflab.drift.mmd import MMD
from leaflab.drift.profile import batches_of, kinds_of, profile, reference_profile
from leaflab.drift.psi import PSI
from leaflab.drift.ranges import Ranges
from leaflab.drift.reconstruction import Reconstruction
from leaflab.drift.schema import Schema
from leaflab.drift.wasserstein import Wasserstein

Change = Callable[[np.random.Generator, dict[str, np.ndarray]], None]


def columns(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    x = rng.normal(10, 2, rows)
    y = 0.9 * (x - 10) / 2 + np.sqrt(1 - 0.81) * rng.normal(size=rows)
    return {"x": x, "y": y, "z": rng.normal(size=rows), "c": rng.choice(list("abcd"), rows, p=[0.4, 0.3, 0.2, 0.1])}


def mean(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["x"] = t["x"] + 0.25 * 2


def spread(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["x"] = 10 + (t["x"] - 10) * 1.5


def mix(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["c"] = rng.choice(list("abcd"), len(t["c"]), p=[0.3, 0.3, 0.2, 0.2])


def holes(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["x"] = np.where(rng.random(len(t["x"])) < 0.05, np.nan, t["x"])


def unit(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["x"] = t["x"] * 1.8 + 32


def novel(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["c"] = np.where(rng.random(len(t["c"])) < 0.02, "new", t["c"])


def broken(rng: np.random.Generator, t: dict[str, np.ndarray]) -> None:
    t["y"] = rng.permutation(t["y"])


CASES: list[tuple[Change, Drift, str, float]] = [
    (mean, KS(), "x", 0.9),
    (mean, Wasserstein(), "x", 0.9),
    (mean, JensenShannon(), "x", 0.7),
    (spread, KS(), "x", 0.8),
    (spread, Wasserstein(), "x", 0.9),
    (spread, PSI(), "x", 0.9),
    (mix, Chi2(), "c", 0.9),
    (mix, JensenShannon(), "c", 0.9),
    (holes, Missing(), "x", 0.9),
    (unit, Ranges(), "x", 1.0),
    (unit, PSI(), "x", 1.0),
    (novel, Categories(), "c", 0.9),
    (broken, Classifier(), "", 0.9),
    (broken, Reconstruction(), "", 0.9),
    (broken, MMD(), "", 0.3),
    (unit, MMD(), "", 1.0),
]


@pytest.mark.parametrize(
    ("change", "test", "column", "power"),
    CASES,
    ids=[f"{change.__name__}-{test.name}-{i}" for i, (change, test, *_) in enumerate(CASES)],
)
def test_power(change: Change, test: Drift, column: str, power: float) -> None:
    seen = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        before, now = columns(rng, 4000), columns(rng, 1000)
        change(rng, now)
        reference = pa.table(before)
        known = reference_profile(batches_of(reference), kinds_of(reference.schema), sample=2000)
        current = profile(
            batches_of(pa.table({k: pa.array(v, from_pandas=True) for k, v in now.items()}))(),
            known.columns,
            sample=2000,
        )
        found = [f for f in test.compare(Pair(known, current)) if f.column == column]
        seen.append(found[0].verdict(0.001).outcome == "failed")
    assert np.mean(seen) >= power


def test_a_column_gone_or_retyped_is_certain() -> None:
    rng = np.random.default_rng(0)
    reference = pa.table(columns(rng, 500))
    known = reference_profile(batches_of(reference), kinds_of(reference.schema))
    now = pa.table({**columns(rng, 300), "y": ["broken"] * 300}).drop_columns(["z"])
    found = {f.column: f for f in Schema().compare(Pair(known, profile(batches_of(now)(), known.columns)))}
    assert "is gone" in found["z"].verdict(1e-9).sentence
    assert "no longer holds numbers" in found["y"].verdict(1e-9).sentence
    assert found["x"].verdict().outcome == "passed"


def test_an_all_null_column_is_said_so() -> None:
    reference = pa.table({"x": np.arange(100.0)})
    known = reference_profile(batches_of(reference), kinds_of(reference.schema))
    now = profile(batches_of(pa.table({"x": pa.nulls(80, pa.float64())}))(), known.columns)
    finding = next(iter(Missing().compare(Pair(known, now))))
    assert finding.verdict(1e-9).outcome == "failed"
    assert "all values are missing" in finding.sentence
