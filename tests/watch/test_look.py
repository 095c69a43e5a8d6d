"""One look end to end: quiet where nothing differs, the right alarm where something does, none for harmless drift."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from leaflab.drift.base import Drift
from leaflab.watch.look import Known, Limits, Sight, look

LIMITS = Limits()
Tests = dict[str, Drift]


def seen(world: ModuleType, known: Known, tests: Tests, seed: int, rows: int = 2000, **how: object) -> Sight:
    return look(known, world.window_of(known, seed, rows, **how), tests, LIMITS, 0.0)


def alarms(sight: Sight) -> set[tuple[str, str]]:
    return {(signal.family, signal.finding.column) for signal in sight.alarms}


def false_alarms(world: ModuleType, tests: Tests, repeats: int, models: int) -> int:
    found = 0
    for seed in range(repeats):
        if seed % max(1, repeats // models) == 0:
            known = world.known_of(seed=seed, rows=(2000, 500, 3000))
        found += bool(seen(world, known, tests, 10_000 + seed).alarms)
    return found


def test_few_false_alarms_where_nothing_differs(world: ModuleType, tests: Tests) -> None:
    # 12 draws at 5 %: more than three alarms have a chance below one in five hundred
    assert false_alarms(world, tests, repeats=12, models=3) <= 3


@pytest.mark.slow
def test_at_most_17_false_alarms_in_200(world: ModuleType, tests: Tests) -> None:
    assert false_alarms(world, tests, repeats=200, models=200) <= 17


def mean(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["x"] += 1.0


def variance(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["x"] = 10 + (frame["x"] - 10) * 1.6


def mix(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["kind"] = pd.array(rng.choice(list("abcd"), len(frame), p=[0.2, 0.2, 0.2, 0.4]), dtype="str")


def holes(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame.loc[rng.random(len(frame)) < 0.3, "x"] = np.nan


def unit(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["x"] = frame["x"] * 1.8 + 32


@pytest.mark.parametrize(("change", "column"), [(mean, "x"), (variance, "x"), (mix, "kind"), (holes, "x"), (unit, "x")])
def test_a_shift_that_matters_is_an_alarm_in_its_first_window(
    world: ModuleType, known: Known, tests: Tests, change: Callable[..., None], column: str
) -> None:
    for seed in range(2):
        sight = seen(world, known, tests, seed, change=change, labelled=False)
        assert ("data", column) in alarms(sight)
        assert max(sight.impact, key=lambda name: sight.impact[name]) == column


def dull(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    frame["dull"] += 0.5


def test_drift_that_does_nothing_to_the_model_is_no_alarm(world: ModuleType, known: Known, tests: Tests) -> None:
    sight = seen(world, known, tests, 3, change=dull)
    assert any(signal.stands and signal.finding.column == "dull" for signal in sight.signals)
    assert ("data", "dull") not in alarms(sight)
    assert "harmless" in next(s.note for s in sight.signals if s.stands and s.finding.column == "dull")


def test_flipped_labels_are_a_change_of_concept_without_drift_of_the_data(
    world: ModuleType, known: Known, tests: Tests
) -> None:
    families = {family for family, _ in alarms(seen(world, known, tests, 4, twist=0.25))}
    assert {"concept", "performance"} <= families
    assert "data" not in families


def test_a_slice_of_a_number_that_got_worse_is_named(world: ModuleType, known: Known, tests: Tests) -> None:
    window = world.window_of(known, 11, rows=3000)
    rows = window.labelled
    flipped = np.where(rows.frame["z"].to_numpy() > 0.8, 1 - rows.truth, rows.truth)
    sight = look(known, world.gathered(known, rows.frame, flipped), {}, LIMITS, 0.0)
    worst = [s for s in sight.alarms if s.finding.test == "slice"]
    assert worst[0].finding.column.startswith("z is above")
    assert "±" in worst[0].finding.sentence


def test_harder_rows_are_not_taken_for_a_change_of_concept(world: ModuleType, known: Known, tests: Tests) -> None:
    def towards_doubt(rng: np.random.Generator, frame: pd.DataFrame) -> None:
        frame["x"] = 10 + (frame["x"] - 10) * 0.3

    sight = seen(world, known, tests, 5, rows=4000, change=towards_doubt)
    families = {family for family, _ in alarms(sight)}
    assert "performance" in families
    assert "concept" not in families


def test_a_window_too_small_raises_nothing_and_says_what_is_needed(
    world: ModuleType, known: Known, tests: Tests
) -> None:
    sight = seen(world, known, tests, 6, rows=20)
    assert not sight.alarms
    silent = [signal.finding.sentence for signal in sight.signals if not signal.finding.applies]
    assert len(silent) > 10
    assert all("needs" in sentence or "need" in sentence for sentence in silent)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks(world: ModuleType, tests: Tests, task: str) -> None:
    known = world.known_of(task, rows=(3000, 500, 3000))
    assert len(seen(world, known, tests, 7, task=task).alarms) == 0
    assert ("data", "x") in alarms(seen(world, known, tests, 8, task=task, change=mean))
    twisted = {family for family, _ in alarms(seen(world, known, tests, 9, task=task, twist=0.3))}
    assert "concept" in twisted
