"""Every option of `conf/drift` keeps the contract of drift tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from leaflab.drift.base import Drift, Finding, Pair
from leaflab.drift.control import adjusted
from leaflab.drift.profile import Profile, batches_of, kinds_of, profile, reference_profile

FOLDER = Path(__file__).parents[2] / "conf" / "drift"
OPTIONS = sorted(FOLDER.glob("*.yaml"))


def build(path: Path) -> Drift:
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    module, _, name = plain.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name)(**plain)


TESTS = [build(path) for path in OPTIONS]
IDS = [path.stem for path in OPTIONS]


def population(rng: np.random.Generator, rows: int, shift: float = 0.0) -> pa.Table:
    base = rng.normal(size=rows)
    zipf = np.minimum(rng.zipf(1.7, rows), 2000)
    return pa.table(
        {
            "number": base + shift,
            "related": base * 0.8 + rng.normal(size=rows) * 0.6,
            "heavy": rng.standard_t(3, rows) * np.exp(shift),
            "count": rng.poisson(3 + shift, rows),
            "holes": pa.array(np.where(rng.random(rows) < 0.1 + shift / 4, np.nan, base), from_pandas=True),
            "level": rng.choice(list("abcd"), rows, p=np.array([0.5, 0.3 - shift / 8, 0.15, 0.05 + shift / 8])),
            "rare": np.char.add("r", (zipf + (3000 if shift else 0)).astype(str)),
            "flag": rng.random(rows) < 0.3,
        }
    )


def pair_of(reference: pa.Table, current: pa.Table, seed: int = 0) -> Pair:
    known = reference_profile(batches_of(reference), kinds_of(reference.schema), sample=4000, seed=seed)
    now = profile(batches_of(current)(), known.columns, sample=4000, seed=seed + 7)
    return with_scores(known, now, reference, current)


def with_scores(known: Profile, now: Profile, reference: pa.Table, current: pa.Table) -> Pair:
    if "number" not in reference.column_names or not current.num_rows:
        return Pair(known, now)
    known = known.scored({"prediction": reference["number"].to_numpy()})
    return Pair(known, now.scored({"prediction": current["number"].to_numpy()}, like=known))


@pytest.fixture(scope="module")
def shifted() -> Pair:
    rng = np.random.default_rng(0)
    reference, current = population(rng, 5000), population(rng, 2000, shift=1.0)
    text = pa.array([*["n/a"] * 100, *map(str, current["count"].to_pylist()[100:])])
    return pair_of(reference, current.set_column(current.column_names.index("count"), "count", text))


def test_there_are_tests_to_check() -> None:
    assert len(OPTIONS) >= 13


@pytest.mark.parametrize(("test", "stem"), list(zip(TESTS, IDS, strict=True)), ids=IDS)
def test_is_named_as_its_file(test: Drift, stem: str) -> None:
    assert test.name == stem
    assert set(test.kinds) <= {"number", "level", "time"}
    assert type(test).__doc__


@pytest.mark.parametrize("test", TESTS, ids=IDS)
def test_is_deterministic_and_its_numbers_are_sound(test: Drift, shifted: Pair) -> None:
    first, again = list(test.compare(shifted)), list(test.compare(shifted))
    assert first == again
    assert first
    for finding in first:
        assert finding.test == test.name
        assert finding.sentence.endswith(".")
        assert finding.effect >= 0
        assert 0 <= finding.p_value <= 1


@pytest.mark.parametrize("test", TESTS, ids=IDS)
def test_sees_what_is_plainly_different(test: Drift, shifted: Pair) -> None:
    failed = [f for f in test.compare(shifted) if f.verdict(1e-4).outcome == "failed"]
    assert failed


@pytest.mark.parametrize("test", TESTS, ids=IDS)
def test_too_few_rows_are_not_applicable_and_say_how_many_are_needed(test: Drift) -> None:
    rng = np.random.default_rng(1)
    for finding in test.compare(pair_of(population(rng, 500), population(rng, 9))):
        verdict = finding.verdict()
        assert verdict.outcome == "not applicable"
        assert "needs" in verdict.sentence


@pytest.mark.parametrize("test", TESTS, ids=IDS)
def test_odd_columns_raise_nothing(test: Drift) -> None:
    rng = np.random.default_rng(2)
    reference = population(rng, 600).append_column("same", pa.array(np.ones(600)))
    reference = reference.append_column("empty", pa.nulls(600, pa.float64()))
    current = population(rng, 400).drop_columns(["level"]).append_column("extra", pa.array(np.ones(400)))
    current = current.append_column("same", pa.array(np.full(400, 2.0))).append_column(
        "empty", pa.nulls(400, pa.float64())
    )
    current = current.set_column(0, "number", pa.nulls(400, pa.float64()))
    current = current.set_column(2, "heavy", pa.array(["x"] * 400))
    for finding in test.compare(pair_of(reference, current)):
        assert isinstance(finding, Finding)
        assert finding.column != "extra"
    assert list(test.compare(pair_of(reference, current.slice(0, 0)))) is not None


@pytest.mark.parametrize("test", TESTS, ids=IDS)
def test_more_of_the_same_rows_is_no_drift(test: Drift) -> None:
    table = population(np.random.default_rng(3), 3000)
    for finding in test.compare(pair_of(table, table)):
        assert finding.verdict(0.01).outcome == "passed", finding


def null_p_values(repeats: int) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(repeats):
        rng = np.random.default_rng(1000 + seed)
        pair = pair_of(population(rng, 3000), population(rng, 1000), seed)
        for test in TESTS:
            for finding in test.compare(pair):
                found.setdefault((test.name, finding.column), []).append(finding.p_value)
    return found


def test_false_positives_under_the_null_stay_at_the_level() -> None:
    repeats = 40
    found = null_p_values(repeats)
    share = {key: np.mean(np.array(values) <= 0.05) for key, values in found.items()}
    # 0.05 + 4 standard errors of 40 draws: one of a hundred true nulls goes beyond once in hundreds of runs
    assert max(share.values()) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats), share
    assert np.mean(list(share.values())) <= 0.06
    runs = np.array(list(found.values())).T
    together = [np.nanmin(adjusted(run)) <= 0.05 for run in runs]
    assert np.mean(together) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.slow
def test_false_positives_over_many_draws() -> None:
    found = null_p_values(200)
    share = {key: np.mean(np.array(values) <= 0.05) for key, values in found.items()}
    assert max(share.values()) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200), share
    together = [np.nanmin(adjusted(run)) <= 0.05 for run in np.array(list(found.values())).T]
    assert sum(together) <= 17
