"""Cleaning a large table: leaflab's streaming preparation beside a careful pandas script that does the same.

    python benchmarks/prepare.py [--rows 1000000 10000000] [--folder /tmp/leaflab-bench]

Rows are drawn from the flights table with noise: 20 columns of numbers, categories, dates and text; numbers as text,
missing markers, white space, 1 % exact duplicates. Both sides read, replace markers, cast, drop exact duplicates, check
ranges, split and write; each runs in its own process, its imports apart. Leaflab also digests every part and keeps a
quarantine. A third line is leaflab with its defaults, which also keep near-duplicates in one part: the script does not.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 500_000
RANGES = {"distance": (0, 6000), "temp": (-60, 130), "seats": (0, 900)}
MARKERS = ["?", "NA", "n/a", "NULL", ""]


def make(rows: int, path: Path) -> None:
    """A raw table of so many rows."""
    from leaflab.source.flights import Flights

    base = Flights().read().table().to_pandas()
    base = base[base["late"].notna()].reset_index(drop=True)
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, rows, CHUNK):
        table = drawn(base, min(CHUNK, rows - start), rng)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def drawn(base: pd.DataFrame, rows: int, rng: np.random.Generator) -> pa.Table:
    pick = base.iloc[rng.integers(0, len(base), rows)].reset_index(drop=True)
    noise = rng.normal(0, 1, rows)
    marked = rng.random(rows) < 0.02
    distance = (pick["distance"] + noise.round(1)).map("{:.1f}".format).mask(marked, "?")
    distance = distance.mask(rng.random(rows) < 0.001, "99999")
    pressure = (pick["pressure"].fillna(1015) + noise).map("{:.2f}".format).mask(rng.random(rows) < 0.02, "NA")
    frame = pd.DataFrame(
        {
            "when": pick["sched_dep"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "carrier": " " + pick["carrier"].astype(str),
            "flight": pick["flight"],
            "tailnum": pick["tailnum"].where(~marked, "?"),
            "origin": pick["origin"],
            "dest": pick["dest"].astype(str) + " ",
            "distance": distance,
            "pressure": pressure,
            "temp": pick["temp"] + noise,
            "dewp": pick["dewp"],
            "humid": pick["humid"],
            "wind_dir": pick["wind_dir"],
            "wind_speed": pick["wind_speed"],
            "precip": pick["precip"],
            "visib": pick["visib"],
            "seats": pick["plane_seats"].astype("Float64").astype("string").fillna("n/a"),
            "month": pick["month"],
            "weekend": np.where(pick["weekday"] > 5, "yes", "no"),
            "route": pick["carrier"].astype(str)
            + " from "
            + pick["origin"]
            + " to "
            + pick["dest"]
            + " on "
            + pick["tailnum"],
            "late": np.where(pick["late"].astype(bool), "yes", "no"),
        }
    )
    copies = rng.integers(0, rows, rows // 100)
    frame.iloc[rng.integers(0, rows, rows // 100)] = frame.iloc[copies].to_numpy()
    return pa.Table.from_pandas(frame.convert_dtypes(), preserve_index=False).replace_schema_metadata(None)


def by_pandas(source: Path, folder: Path) -> int:
    """The same, as a careful pandas user writes it."""
    frame = pd.read_parquet(source)
    for name in frame.select_dtypes("string"):
        text = frame[name].str.strip()
        frame[name] = text.mask(text.isin(MARKERS))
    for name in ("distance", "pressure", "seats"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    frame["when"] = pd.to_datetime(frame["when"])
    frame["weekend"] = frame["weekend"] == "yes"
    frame = frame[frame["late"].notna()].drop_duplicates()
    for name, (low, high) in RANGES.items():
        frame = frame[frame[name].between(low, high) | frame[name].isna()]
    draw = np.random.default_rng(0).random(len(frame))
    parts = {"test": draw < 0.2, "valid": (draw >= 0.2) & (draw < 0.36), "train": draw >= 0.36}
    for name, mask in parts.items():
        frame[mask].to_parquet(folder / f"{name}.parquet", index=False)
    return len(frame)


def by_leaflab(source: Path, folder: Path, near: int = 0) -> int:
    """Streaming: the table is never held whole."""
    from leaflab.lake.delta import Delta
    from leaflab.prepare.default import Default
    from leaflab.prepare.spill import Spill
    from leaflab.prepare.streaming import Streaming
    from leaflab.prepare.typing import is_text
    from leaflab.split.random import Random
    from leaflab.values import Roles

    texts = [field.name for field in pq.read_schema(source) if is_text(field.type)]
    file = pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False)  # as the lake's own stream gives them
    checks = {"columns": {name: {"ge": low, "le": high} for name, (low, high) in RANGES.items()}}
    lake = Delta(path=str(folder / "lake"))
    with Spill(folder) as spill:
        options = Default(checks=checks, near=near)
        stream = Streaming(lambda: file.iter_batches(1 << 18), Roles(target="late"), options, spill)
        _, parts = stream.run(lambda prepared: (prepared, Random().assign(prepared, 0)))
    with ThreadPoolExecutor(len(parts)) as pool:  # as the verb writes them
        list(pool.map(lambda part: lake.write(f"dataset/bench/{part}", parts[part]), parts))
    return sum(table.num_rows for table in parts.values())


def with_defaults(source: Path, folder: Path) -> int:
    """The same with near-duplicates looked for, as is the default."""
    return by_leaflab(source, folder, near=3)


SIDES = {"pandas": by_pandas, "leaflab": by_leaflab, "defaults": with_defaults}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/leaflab-bench"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        alone(arguments.side, arguments.rows[0], arguments.folder)
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for rows in arguments.rows:
        source = arguments.folder / f"raw-{rows}.parquet"
        if not source.exists():
            make(rows, source)
        print(f"{rows:,} rows", flush=True)
        found = {side: measured(side, rows, arguments.folder) for side in SIDES}
        for side, run in found.items():
            told = f"{run['seconds']:6.1f} s  {run['cpu']:6.1f} s of CPU  {run['gigabytes']:5.2f} GB at most"
            print(f"  {side:<8} {told}  {run['kept']:,} rows kept")
        for side in ("leaflab", "defaults"):
            ratios = [found[side][what] / found["pandas"][what] for what in ("seconds", "cpu", "gigabytes")]
            print("  {} took {:.2f} of the time, {:.2f} of the CPU, {:.2f} of the memory".format(side, *ratios))


def measured(side: str, rows: int, folder: Path) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--rows", str(rows), "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone(side: str, rows: int, folder: Path) -> None:
    out = folder / f"{side}-{rows}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if side != "pandas":
        for name in ("leaflab.prepare.streaming", "deltalake.transaction", "pandera.pandas", "scipy.sparse.csgraph"):
            importlib.import_module(name)
    began, started = time.process_time(), time.perf_counter()
    kept = SIDES[side](folder / f"raw-{rows}.parquet", out)
    seconds = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "cpu": time.process_time() - began, "gigabytes": most, "kept": kept}))
    shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
