"""The reference side: seasons, a model without held-out rows, too little of everything."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.drift.base import Drift
from leaflab.metric.probability import LogLoss
from leaflab.watch.look import Known, Limits, look
from leaflab.watch.reference import reference
from leaflab.watch.window import Window

Tests = dict[str, Drift]


def seasonal(rng: np.random.Generator, when: pd.DatetimeIndex, world: ModuleType, extra: float = 0.0) -> pd.DataFrame:
    frame = world.features(rng, len(when))
    frame["x"] += 2.5 * np.cos(2 * np.pi * when.dayofyear.to_numpy() / 365) + extra
    return frame.assign(y=world.labels(rng, frame, "binary"), when=when.as_unit("us"))


@pytest.fixture(scope="module")
def yearly(world: ModuleType) -> Known:
    rng = np.random.default_rng(0)
    stamps = pd.date_range("2022-01-01", "2023-12-31 23:00", periods=9000)
    table = pa.Table.from_pandas(seasonal(rng, stamps, world), preserve_index=False)
    dataset = world.dataset_of()
    parts = {"train": table.slice(0, 5000), "valid": table.slice(5000, 1000), "test": table.slice(6000)}
    dataset = replace(dataset, parts=parts, roles=replace(dataset.roles, time="when"))
    return reference(world.scorer_of(dataset), dataset, [LogLoss()], sample=4000)


def december(known: Known, world: ModuleType, extra: float) -> Window:
    stamps = pd.date_range("2024-12-01", "2024-12-30", periods=1500)
    frame = seasonal(np.random.default_rng(5), stamps, world, extra)
    truth = (frame["y"] == "yes").astype("float64").to_numpy()
    rows = frame[["x", "z", "dull", "kind"]]
    times = stamps.as_unit("us").astype("int64").to_numpy() / 1e6
    return world.gathered(known, rows, truth, times)


def test_a_season_is_not_taken_for_drift_and_drift_not_for_a_season(
    yearly: Known, world: ModuleType, tests: Tests
) -> None:
    def columns(extra: float, season: str | None) -> set[str]:
        sight = look(yearly, december(yearly, world, extra), tests, Limits(season=season), 0.0)
        return {signal.finding.column for signal in sight.alarms if signal.family == "data"}

    assert "x" in columns(0.0, None)
    assert "x" not in columns(0.0, "year")
    assert "x" in columns(2.0, "year")


def test_without_held_out_rows_the_data_are_still_watched(world: ModuleType, tests: Tests) -> None:
    dataset = world.dataset_of(rows=(2000, 500, 300))
    dataset = replace(dataset, parts={**dataset.parts, "test": dataset.parts["test"].slice(0, 0)})
    known = reference(world.scorer_of(dataset), dataset, [LogLoss()], sample=2000)

    def far(rng: np.random.Generator, frame: pd.DataFrame) -> None:
        frame["x"] += 2

    sight = look(known, world.window_of(known, 1, change=far), tests, Limits(), 0.0)
    assert ("data", "x") in {(s.family, s.finding.column) for s in sight.alarms}
    estimated = next(s for s in sight.signals if s.finding.test == "estimated")
    assert not estimated.finding.applies
    assert "needs 200 labelled rows" in estimated.finding.sentence
