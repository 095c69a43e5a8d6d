"""Drift of a large table: every test of leaflab beside Evidently's DataDriftPreset, and a table streamed in bounds.

    python benchmarks/monitor.py [--rows 1000000] [--stream 10000000] [--evidently PYTHON] [--folder /tmp/leaflab-bench]

Two tables of so many rows and 50 columns (40 numbers, 10 categories), of which five have shifted; each side reads the
same Parquet files in its own process. Leaflab runs every univariate test on all rows, and those of all columns together
on 20,000 rows of each side. Evidently needs an environment of its own (`pip install evidently==0.7.23 pandas==3.0.6`),
whose Python is given; without it only leaflab is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 500_000
NUMBERS, LEVELS, SHIFTED = 40, 10, 5
SAMPLE = 20_000
TARGET = f"n{NUMBERS - 1}"

EVIDENTLY = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
started = time.perf_counter()
before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
made = Report([DataDriftPreset()]).run(now, before).dict()
seconds = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_SELF)
cpu = used.ru_utime + used.ru_stime
print(json.dumps({"seconds": seconds, "cpu": cpu, "gb": used.ru_maxrss / 1e6, "tests": len(made["metrics"])}))
"""


def make(path: Path, rows: int, seed: int, shift: float) -> None:
    """A table of so many rows; the first five numbers and the first category are moved by `shift`."""
    if path.exists() and pq.read_metadata(path).num_rows == rows:
        return
    random, writer = np.random.default_rng(seed), None
    names = np.array([f"level {k}" for k in range(30)])
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        columns = {f"n{i}": random.normal(shift if i < SHIFTED else 0, 1, size) for i in range(NUMBERS)}
        for i in range(LEVELS):
            weights = np.ones(30) / 30 if i else np.r_[np.full(15, 1 - shift), np.full(15, 1 + shift)] / 30
            columns[f"c{i}"] = names[random.choice(30, size, p=weights / weights.sum())]
        columns[TARGET] = columns["n0"] + columns["n10"] + columns[TARGET]
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=CHUNK // 4)
    if writer is not None:
        writer.close()


def ours(before: Path, now: Path) -> None:
    """Every drift test between two files, in this process; prints seconds, peak memory and what was found."""
    import lightgbm  # noqa: F401 - what the other side imports before its clock starts
    import scipy.stats  # noqa: F401

    from leaflab.door.compose import lab_for
    from leaflab.drift.base import Pair
    from leaflab.drift.profile import CHUNK as BATCH
    from leaflab.drift.profile import kinds_of, profile, reference_profile

    tests = lab_for("monitor", ["name=bench"]).drift

    def batches(path: Path) -> Iterator[pa.RecordBatch]:
        file = pq.ParquetFile(path)  # asked for all groups at once, Arrow reads ahead without bound
        for group in range(file.num_row_groups):
            yield from file.iter_batches(BATCH, row_groups=[group])

    started = time.perf_counter()
    kinds = kinds_of(pq.read_schema(before))
    known = reference_profile(lambda: batches(before), kinds, sample=SAMPLE)
    pair = Pair(known, profile(batches(now), known.columns, sample=SAMPLE))
    read = time.perf_counter() - started
    found = [finding for test in tests.values() for finding in test.compare(pair)]
    seconds = time.perf_counter() - started
    drifted = {f.column for f in found if f.column and f.verdict(1e-4).outcome == "failed"}
    used = resource.getrusage(resource.RUSAGE_SELF)
    plain = {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "reading": read,
        "gb": used.ru_maxrss / 1e6,
        "tests": len(found),
        "drifted": sorted(drifted),
        "error": max(sketch.error for sketch in known.columns.values()),
    }
    print(json.dumps(plain))


def streamed(folder: Path, before: Path, now: Path) -> dict[str, Any]:
    """`leaflab monitor` on a file, against a model that learnt from another: wall clock, peak memory, what it said."""
    home = folder / "home"
    environment = {**os.environ, "LEAFLAB_HOME": str(home), "OMP_NUM_THREADS": "2"}
    leaflab = [sys.executable, "-m", "leaflab"]
    if not home.exists():
        asked = [f"source.path={before}", f"dataset.target={TARGET}", "name=bench", "search.trials=1"]
        subprocess.run([*leaflab, "sweep", *asked], env=environment, check=True, stdout=subprocess.DEVNULL)
    asked = [*leaflab, "monitor", "name=bench", "monitor.alias=challenger", f"current={now}"]
    started = time.perf_counter()
    done = subprocess.Popen(asked, env=environment, stdout=subprocess.PIPE, text=True)
    said = done.stdout.read() if done.stdout else ""
    _, _, used = os.wait4(done.pid, 0)
    seconds, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu": cpu, "gb": used.ru_maxrss / 1e6, "tests": said.splitlines()[0] if said else ""}


def shown(name: str, found: dict[str, Any]) -> str:
    """Wall clock, processor time, peak memory and number of tests, on one line."""
    return f"{name:10} {found['seconds']:8.1f} s     {found['cpu']:8.1f} s CPU {found['gb']:6.2f} GB  {found['tests']}"


def measured(command: list[str]) -> dict[str, Any]:
    """What a process of its own printed last."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(out.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stream", type=int, default=0)
    parser.add_argument("--verb", action="store_true", help="stream through `leaflab monitor` too")
    parser.add_argument("--evidently", default=None)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/leaflab-bench"))
    parser.add_argument("--ours", nargs=2, type=Path, default=None)
    asked = parser.parse_args()
    if asked.ours:
        ours(*asked.ours)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    before, now = asked.folder / f"before-{asked.rows}.parquet", asked.folder / f"now-{asked.rows}.parquet"
    make(before, asked.rows, 0, 0.0)
    make(now, asked.rows, 1, 0.3)
    mine = measured([sys.executable, __file__, "--ours", str(before), str(now)])
    print(f"{asked.rows:,} rows x {NUMBERS + LEVELS} columns against as many, 2 threads")
    print(shown("leaflab", mine), f"tests, sketch error {mine['error']:.4f}")
    print(f"           drifted: {', '.join(mine['drifted'])}")
    if asked.evidently:
        theirs = measured([asked.evidently, "-c", EVIDENTLY, str(before), str(now)])
        print(shown("evidently", theirs), "metrics")
        ratios = [theirs[key] / mine[key] for key in ("seconds", "cpu", "gb")]
        print("ratio      {:8.1f} x     {:8.1f} x     {:6.2f} x".format(*ratios))
    if asked.stream:
        long = asked.folder / f"now-{asked.stream}.parquet"
        make(long, asked.stream, 2, 0.3)
        far = measured([sys.executable, __file__, "--ours", str(before), str(long)])
        print(f"{asked.stream:,} rows streamed against {asked.rows:,}:")
        print(shown("leaflab", far), f"tests, sketch error {far['error']:.4f}")
        if asked.verb:
            print(shown("the verb", streamed(asked.folder, before, long)))


if __name__ == "__main__":
    main()
