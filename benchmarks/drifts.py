"""How surely and how soon does the monitor notice? Shifts of known size in real rows, and drifts that really happened.

    python benchmarks/drifts.py [--data ../shared/data] [--repeats 10] [--only injected electricity flights air]

Injected: a model of 6,000 rows of adult; from then on rows come in windows of 500, all shifted alike, eight at most. A
shift is noticed when an alarm names its column (or, for flipped labels, the concept, the performance or the labels).
Real: a model of the first rows of a table in the order of time, then window after window as it came.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from false_alarms import features, known_of, seen
from leaflab.door.compose import lab_for
from leaflab.watch.reference import codes_of

WINDOW, WINDOWS, REFERENCE = 500, 8, 6000
LABELS = ("concept", "performance", "labels")
Shift = Callable[[np.random.Generator, pd.DataFrame, np.ndarray, float], None]


def mean(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    frame["age"] = (frame["age"] + size * frame["age"].std()).round()  # an age stays a whole number


def spread(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    frame["age"] = (frame["age"].mean() + size * (frame["age"] - frame["age"].mean())).round()


def mix(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    frame.loc[random.random(len(frame)) < size, "relationship"] = "Husband"


def holes(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    frame["age"] = frame["age"].astype("float64").mask(random.random(len(frame)) < size)


def unit(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    frame.loc[random.random(len(frame)) < size, "age"] *= 12


def flip(random: np.random.Generator, frame: pd.DataFrame, truth: np.ndarray, size: float) -> None:
    swapped = random.random(len(truth)) < size
    truth[swapped] = 1 - truth[swapped]


SHIFTS: tuple[tuple[Shift, str, str, tuple[float, ...]], ...] = (
    (mean, "age", "mean of a number, standard deviations", (0.1, 0.25, 0.5)),
    (spread, "age", "its spread, times", (1.1, 1.25, 1.5)),
    (mix, "relationship", "rows moved to one category", (0.1, 0.2, 0.4)),
    (holes, "age", "values missing", (0.02, 0.05, 0.15)),
    (unit, "age", "years given as months, share of rows", (0.02, 0.05, 0.2)),
    (flip, "", "labels flipped", (0.02, 0.05, 0.1)),
)


def injected(folder: Path, repeats: int) -> Iterator[str]:
    """A line a shift and size: how often its first window is an alarm, how often any is, and the median delay."""
    lab = lab_of("income", drop=["split"])
    table = pq.read_table(folder / "adult.parquet")
    found: dict[tuple[str, float], list[int]] = {}
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        rows = table.take(random.permutation(table.num_rows)[: REFERENCE + WINDOW * WINDOWS])
        dataset, known, later = known_of(lab, rows, REFERENCE, seed)
        frame, truth = features(known, later), codes_of(dataset, later)
        for shift, column, words, sizes in SHIFTS:
            for size in sizes:
                frames, truths = frame.copy(), truth.copy()
                shift(random, frames, truths, size)
                found.setdefault((words, size), []).append(delay(lab, known, frames, truths, column))
    for (words, size), came in found.items():
        first, ever = np.mean([one == 1 for one in came]), np.mean([one <= WINDOWS for one in came])
        median = np.median(came)
        delayed = f"median delay {median * WINDOW:,.0f} rows" if median <= WINDOWS else "median beyond them"
        yield f"{words:38} {size:5.2f}  first window {first:4.0%}  within {WINDOWS} windows {ever:4.0%}  {delayed}"


def delay(lab: Any, known: Any, frame: pd.DataFrame, truth: np.ndarray, column: str) -> int:
    """The number of the first window with the right alarm; one more than there are where none has it."""
    for number in range(WINDOWS):
        rows = slice(number * WINDOW, (number + 1) * WINDOW)
        alarms = seen(lab, known, frame.iloc[rows].reset_index(drop=True), truth[rows]).alarms
        if any(a.finding.column == column if column else a.family in LABELS for a in alarms):
            return number + 1
    return WINDOWS + 1


def real(lab: Any, table: pa.Table, first: int, size: int, named: Callable[[int], str]) -> Iterator[str]:
    """A line a window: the families that alarm and their columns, and the deciding metric, estimated and realised."""
    dataset, known, later = known_of(lab, table, first, 0)
    frame, truth = features(known, later), codes_of(dataset, later)
    before = known.realised[known.metric.name].value
    yield f"{known.metric.name} on the reference's unseen rows {before:.4f}"
    for start in range(0, later.num_rows - size + 1, size):
        sight = seen(lab, known, frame.iloc[start : start + size].reset_index(drop=True), truth[start : start + size])
        guess, came = (side.get(known.metric.name) for side in (sight.estimated, sight.realised))
        moved = sorted({a.finding.column for a in sight.alarms if a.family == "data" and a.finding.column})
        others = sorted({a.family for a in sight.alarms} - {"data"})
        numbers = f"estimated {guess.value:.4f} realised {came.value:.4f}" if guess and came else ""
        yield f"{named(first + start):14} {numbers}  {', '.join(others) or '-'}; columns: {', '.join(moved) or '-'}"


def electricity(folder: Path) -> Iterator[str]:
    """45,312 half hours; the market of Victoria joins at row 17,424 (2 May 1997)."""
    table = pq.read_table(folder / "electricity_elec2.parquet")
    day = np.datetime64("1996-05-07")
    yield from real(lab_of("class", drop=["date"]), table, 6 * 1440, 1440, lambda row: str(day + row // 48))


def flights(folder: Path) -> Iterator[str]:
    """327,346 flights of 2013, every sixth; a model of January to March, then half months."""
    from leaflab.source.flights import Flights

    frame = Flights().read().table().to_pandas().dropna(subset=["late"])
    frame = frame.sort_values("sched_dep", kind="stable").iloc[::6].reset_index(drop=True)
    times = pd.to_datetime(frame["sched_dep"])
    first = int((times < "2013-04-01").sum())
    lab = lab_of("late", time="sched_dep")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    yield from real(lab, table, first, (len(frame) - first) // 18, lambda row: str(times[row].date()))


def air(folder: Path) -> Iterator[str]:
    """A year of hours of ageing gas sensors beside a reference instrument (its CO); a model of the first 100 days."""
    raw = pq.read_table(folder / "air_quality_uci.parquet").to_pandas().dropna(subset=["Date"])
    names = ["CO(GT)", *(n for n in raw.columns if n.startswith("PT08")), "T", "RH", "AH"]
    values = raw[names].apply(lambda c: pd.to_numeric(c.astype("str").str.replace(",", "."), errors="coerce"))
    values = values.mask(values == -200)
    kept = values["CO(GT)"].notna()
    dates, values = raw["Date"][kept].reset_index(drop=True), values[kept].reset_index(drop=True)
    table = pa.Table.from_pandas(values, preserve_index=False)
    yield from real(lab_of("CO(GT)"), table, 2000, 600, lambda row: str(dates[row]))


def lab_of(target: str, **roles: Any) -> Any:
    lab = lab_for("monitor", ["name=drifts", "dataset.name=drifts"])
    lab = replace(lab, dataset=replace(lab.dataset, target=target, **roles))
    return replace(lab, prepare=replace(lab.prepare, duplicates="keep"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--only", nargs="+", default=["injected", "electricity", "flights", "air"])
    asked = parser.parse_args()
    worlds = {"electricity": electricity, "flights": flights, "air": air}
    for name in asked.only:
        lines = injected(asked.data, asked.repeats) if name == "injected" else worlds[name](asked.data)
        print(f"{name}: {(worlds[name].__doc__ or '').strip() if name in worlds else ''}")
        for line in lines:
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
