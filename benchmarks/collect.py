"""What collecting costs: CSV into the lake against a bare pyarrow copy, MQTT messages a second, the digest.

    python benchmarks/collect.py [--gb 1.0] [--messages 50000]

Both sides run on the same file in one go, each in a process of its own; peak memory is that process's.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

__all__ = ["main"]

_ROW_BYTES = 84


def make_csv(path: Path, rows: int) -> None:
    """Eight mixed columns: integers, floats with and without gaps, texts, times, booleans."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    rng, step = np.random.default_rng(0), 500_000
    words = np.array([f"word {i}" for i in range(5000)])
    with path.open("wb") as file:
        for start in range(0, rows, step):
            n = min(step, rows - start)
            seconds = np.datetime64("2020-01-01T00:00:00") + np.arange(start, start + n)
            table = pa.table(
                {
                    "id": np.arange(start, start + n),
                    "x": rng.normal(size=n).round(6),
                    "y": rng.normal(size=n),
                    "k": rng.integers(0, 1000, n),
                    "word": words[rng.integers(0, 5000, n)],
                    "when": pa.array(seconds).cast(pa.timestamp("s")),
                    "flag": rng.random(n) < 0.5,
                    "z": pa.array(rng.normal(size=n).round(3), mask=rng.random(n) < 0.1),
                }
            )
            csv.write_csv(table, file, csv.WriteOptions(include_header=start == 0))


def bare(path: str, folder: str) -> int:
    import pyarrow.parquet as pq
    from pyarrow import csv

    rows = 0
    with csv.open_csv(path) as reader, pq.ParquetWriter(f"{folder}/copy.parquet", reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def ours(path: str, folder: str) -> int:
    from leaflab.lake.delta import Delta
    from leaflab.source.file import File

    lake = Delta(path=f"{folder}/lake")
    written, _ = File(path=path).read().into(lambda reading: lake.write("raw/t", reading.stream()))
    return written.rows


def apart(side: str, path: Path, folder: Path) -> dict[str, float]:
    """One side in a process of its own: rows, seconds, peak megabytes."""
    answer = subprocess.check_output([sys.executable, __file__, "--side", side, str(path), str(folder)], text=True)
    return dict(json.loads(answer.splitlines()[-1]))


def side(name: str, path: str, folder: str) -> None:
    started = time.perf_counter()
    rows = {"bare": bare, "ours": ours}[name](path, folder)
    seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    facts = {"rows": rows, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    print(json.dumps(facts))


def csv_into_lake(gigabytes: float, folder: Path) -> None:
    path = folder / "table.csv"
    make_csv(path, int(gigabytes * 1e9 / _ROW_BYTES))
    size = path.stat().st_size / 1e9
    apart("bare", path, folder)  # the file is in the cache for both sides
    found = {name: apart(name, path, folder) for name in ("bare", "ours")}
    for name, facts in found.items():
        speed = (
            f"{facts['rows'] / facts['seconds']:>11,.0f} rows/s  {facts['seconds']:6.2f} s  cpu {facts['cpu']:6.2f} s"
        )
        print(f"csv {size:.2f} GB  {name:<5} {speed}  peak {facts['peak']:,.0f} MB")
    print(f"csv ratio {found['bare']['seconds'] / found['ours']['seconds']:.2f} (at least 0.5 is wanted)")


def digest_speed() -> None:
    import numpy as np
    import pyarrow as pa

    from leaflab.identity import digest

    rng = np.random.default_rng(0)
    words = pa.array(rng.integers(0, 1000, 4_000_000)).cast(pa.string())
    table = pa.table({"a": rng.normal(size=4_000_000), "b": rng.integers(0, 9, 4_000_000), "c": words})
    started = time.process_time()
    digest(table)
    print(
        f"digest {table.nbytes / 1e6 / (time.process_time() - started):,.0f} MB/s of one core (at least 500 is wanted)"
    )


def mqtt(messages: int, folder: Path) -> None:
    """Sustained messages a second from Debian's mosquitto through the spool into the lake, and what was lost."""
    broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(broker).is_file():
        print("mqtt   mosquitto is not installed: nothing measured")
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nuser root\n")
    process = subprocess.Popen([broker, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.0)
        _through(messages, port, folder)
    finally:
        process.terminate()
        process.wait()


def _through(messages: int, port: int, folder: Path) -> None:
    from leaflab.lake.delta import Delta
    from leaflab.lake.growing import Growing
    from leaflab.source.feed import Feed
    from leaflab.source.mqtt import Mqtt
    from leaflab.source.spool import Spool

    sys.path.insert(0, str(Path(__file__).parent))
    from replay import replay

    source = Mqtt(host="127.0.0.1", port=port, topics=["plant/#"])
    spool, lake, taken = Spool(folder / "spool"), Delta(path=str(folder / "lake")), 0
    growing = Growing()
    feed = Feed(spool, source.payload, {}, {}, (), grow=True)
    rows = ({"timestamp": i, "temperature": i % 40 + 0.5, "humidity": i % 100} for i in range(1, messages + 1))
    with source.listening(spool, "bench"):
        sender = threading.Thread(target=replay, args=(rows, "plant/1", "127.0.0.1", port))
        started = last = time.perf_counter()
        sender.start()
        while taken < messages and time.perf_counter() - last < 20:
            time.sleep(0.5)
            drawn = feed.draw(50_000)
            if drawn.rows is not None:
                lake.write("raw/plant", drawn.rows, mode="append", digest=growing, meta={"mark": drawn.mark})
                taken, last = taken + drawn.messages, time.perf_counter()
        sender.join()
    spool.close()
    seconds = last - started
    stored = lake.current("raw/plant")
    lost = messages - (stored.rows if stored else 0)
    print(
        f"mqtt   {taken / seconds:,.0f} messages/s sustained over {seconds:.1f} s, {lost} lost (2,000 and 0 are wanted)"
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.side:
        side(*asked.side)
        return
    with tempfile.TemporaryDirectory() as folder:
        csv_into_lake(asked.gb, Path(folder))
        digest_speed()
        mqtt(asked.messages, Path(folder))


if __name__ == "__main__":
    main()
