"""Cleaning a large table: leaflab's streaming preparation beside a careful pandas script that does the same.

    python benchmarks/prepare.py [--rows 1000000 10000000] [--folder /tmp/leaflab-bench]

Rows are drawn from the flights table with noise: 20 columns of numbers, categories, dates and text; numbers as text,
missing markers, white space, 1 % exact duplicates. Both sides read, replace markers, cast, drop exact duplicates, check
ranges, split and write; each runs in its own process. Leaflab also digests every part and keeps a quarantine.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
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


def by_leaflab(source: Path, folder: Path) -> int:
    """Streaming: the table is never held whole."""
    from leaflab.lake.delta import Delta
    from leaflab.prepare.default import Default
    from leaflab.prepare.spill import Spill
    from leaflab.prepare.streaming import Streaming
    from leaflab.split.random import Random
    from leaflab.values import Roles

    texts = [field.name for field in pq.read_schema(source) if pa.types.is_string(field.type)]
    file = pq.ParquetFile(source, read_dictionary=texts)  # as the lake's own stream gives them
    checks = {"columns": {name: {"ge": low, "le": high} for name, (low, high) in RANGES.items()}}
    lake = Delta(path=str(folder / "lake"))
    with Spill(folder) as spill:
        stream = Streaming(lambda: file.iter_batches(1 << 18), Roles(target="late"), Default(checks=checks), spill)
        _, parts = stream.run(lambda prepared: (prepared, Random().assign(prepared, 0)))
    for part, table in parts.items():
        lake.write(f"dataset/bench/{part}", table)
    return sum(table.num_rows for table in parts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/leaflab-bench"))
    parser.add_argument("--side", choices=["pandas", "leaflab"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        alone(arguments.side, arguments.rows[0], arguments.folder)
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for rows in arguments.rows:
        source = arguments.folder / f"raw-{rows}.parquet"
        if not source.exists():
            make(rows, source)
        pandas, leaflab = (measured(side, rows, arguments.folder) for side in ("pandas", "leaflab"))
        print(f"{rows:,} rows", flush=True)
        for name, side in (("pandas", pandas), ("leaflab", leaflab)):
            told = f"{side['seconds']:6.1f} s  {side['cpu']:6.1f} s of CPU  {side['gigabytes']:5.2f} GB at most"
            print(f"  {name:<8} {told}  {side['kept']:,} rows kept")
        ratio = leaflab["seconds"] / pandas["seconds"]
        print(f"  leaflab took {ratio:.2f} of the time, {leaflab['cpu'] / pandas['cpu']:.2f} of the CPU", flush=True)


def measured(side: str, rows: int, folder: Path) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--rows", str(rows), "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone(side: str, rows: int, folder: Path) -> None:
    out = folder / f"{side}-{rows}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    work = {"pandas": by_pandas, "leaflab": by_leaflab}[side]
    started = time.perf_counter()
    kept = work(folder / f"raw-{rows}.parquet", out)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "gigabytes": used.ru_maxrss / 1e6, "kept": kept}))
    shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
