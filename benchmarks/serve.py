"""Serving: `leaflab serve` beside `mlflow models serve`, the same model on the same machine in one run.

    python benchmarks/serve.py [http swaps soak batch] [--seconds 5] [--swaps 100] [--requests 20000] [--rows 1000000]

20 numeric columns, 300 rounds, one worker each, the inference log and the request log on. The parts, all of them where
none is named:

- http: both servers, driven by wrk where it is installed, else by a small client of ours: 8 connections for requests a
  second, 1 for the latency; and 1,000 rows in one request, against JSON decoding and the bare booster.
  `--bentoml PYTHON` drives BentoML too, from an environment of its own (`uv pip install bentoml lightgbm`).
- swaps: the alias moves to and fro under load.
- soak: many requests; the rate, the failures and the memory of each process after every tenth of them.
- batch: `leaflab predict`, Parquet to Parquet, against encoding and the bare booster in memory, by turns.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

COLUMNS = [f"f{i}" for i in range(20)]
LUA = 'wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body=io.open("{body}"):read("*a")\n'
BENTO = """import bentoml, lightgbm, numpy as np
@bentoml.service(workers=1)
class Bench:
    def __init__(self):
        self.booster = lightgbm.Booster(model_file="booster.txt")
    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[float]:
        return self.booster.predict(np.array(rows)).tolist()
"""
PARTS = ("http", "swaps", "soak", "batch")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def project(home: Path) -> tuple[Any, np.ndarray]:
    """A project with two versions of a model; the scorer and rows to ask it about."""
    import lightgbm
    import pyarrow as pa

    from leaflab.scorer import Column, Encoder, Feature, Scorer
    from leaflab.scorer.predictor import Boosters
    from leaflab.tracking.base import RunSpec
    from leaflab.tracking.local import Local
    from leaflab.values import Model

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20_000, len(COLUMNS)))
    target = (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] + rng.normal(size=len(matrix)) > 0).astype(float)
    encoder = Encoder(tuple(Feature(name, name, "number") for name in COLUMNS))
    columns = tuple(Column(name, "number") for name in COLUMNS)
    example = pa.table({name: matrix[:5, i] for i, name in enumerate(COLUMNS)})
    tracking = Local(home=home)
    scorers = []
    for seed in (0, 1):
        params = {"objective": "binary", "verbosity": -1, "num_leaves": 31, "seed": seed, "learning_rate": 0.1 + seed}
        booster = lightgbm.train(params, lightgbm.Dataset(matrix, target, feature_name=COLUMNS), 300)
        scorers.append(Scorer("binary", ("no", "yes"), columns, encoder, Boosters([booster.model_to_string()])))
        with tracking.start(RunSpec("bench", "sweep", f"sweep {seed}")) as run:
            run.log([Model(scorers[-1].files(), example=example)])
        tracking.registry.register("bench", run.id, {})
    tracking.registry.point("bench", "champion", 1)
    return scorers[0], matrix


@contextmanager
def running(home: Path, name: str, *words: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server on a free port, waited for until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [word.format(port=port) for word in words]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    store = f"sqlite:///{home}/mlflow.db"
    environment = {**os.environ, "PATH": path, "LEAFLAB_HOME": str(home), "MLFLOW_TRACKING_URI": store}
    with (home / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, env=environment, process_group=0)
    try:
        began = time.monotonic()
        while not alive(port):
            if process.poll() is not None or time.monotonic() - began > 120:
                raise SystemExit((home / f"{name}.log").read_text()[-3000:])
            time.sleep(0.2)
        yield port, psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def alive(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/readyz")  # BentoML's; the others answer 404 as soon as they can answer at all
        return connection.getresponse().status in (200, 404)
    except OSError:
        return False


def megabytes(process: psutil.Process) -> list[float]:
    """Of a server's processes; the largest holds the model."""
    return [one.memory_info().rss / 2**20 for one in (process, *process.children(recursive=True))]


def driven(home: Path, url: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Requests answered, failed and a second, and their latency in milliseconds."""
    if not shutil.which("wrk"):
        return ours(url, body, connections, seconds)
    (home / "body.json").write_bytes(body)
    (home / "ask.lua").write_text(LUA.format(body=home / "body.json"))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", "ask.lua", url]
    text = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout
    found = {
        share: float(value) * UNITS[unit] for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", text)
    }
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = sum(map(int, errors.groups() if errors else ())) + int(refused[1] if refused else 0)
    answered, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not answered or not rate:
        raise SystemExit(text)
    return {
        "answered": int(answered[1]),
        "failed": failed,
        "rate": float(rate[1]),
        "p50": found["50"],
        "p99": found["99"],
    }


def ours(url: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    host, _, path = url.removeprefix("http://").partition("/")
    took: list[float] = []
    failed: list[str] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(host, timeout=60)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            if (problem := asked(connection, f"/{path}", body)[0]) != "200":
                failed.append(problem)
            took.append((time.perf_counter() - began) * 1e3)

    together(ask, connections)
    p50, p99 = np.quantile(took, [0.5, 0.99])
    return {"answered": len(took), "failed": len(failed), "rate": len(took) / seconds, "p50": p50, "p99": p99}


def asked(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[str, Any, Any]:
    """Status, headers and body of an answer; the error where there was none."""
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return str(answer.status), answer.headers, answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return repr(error), {}, b""


def together(work: Callable[[], None], threads: int, during: Callable[[], None] = lambda: None) -> None:
    """The same work in several threads, and something else meanwhile."""
    started = [threading.Thread(target=work) for _ in range(threads)]
    for thread in started:
        thread.start()
    try:
        during()
    finally:
        for thread in started:
            thread.join()


def median_of(call: Callable[[], Any], times: int = 30) -> float:
    """Milliseconds of the median call."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1e3)
    return float(np.median(took))


def split(matrix: np.ndarray) -> bytes:
    return json.dumps({"dataframe_split": {"columns": COLUMNS, "data": matrix.tolist()}}).encode()


def swapped(home: Path, port: int, body: bytes, swaps: int) -> tuple[int, int, int]:
    """Moves the alias to and fro under load; requests answered, failed, and answers whose rows come from two models."""
    from leaflab.tracking.local import Local

    registry = Local(home=home).registry
    over = threading.Event()
    failed: list[str] = []
    answers: list[tuple[str, frozenset[float]]] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not over.is_set():
            status, headers, text = asked(connection, "/predict?proba=true", body)
            if status == "200":
                shares = frozenset(row["probabilities"]["yes"] for row in json.loads(text)["rows"])
                answers.append((headers["x-leaflab-version"], shares))
            else:
                failed.append(status)

    def move() -> None:
        try:
            for swap in range(swaps):
                registry.point("bench", "champion", 2 - swap % 2)
                while version(port) != 2 - swap % 2:
                    time.sleep(0.01)
        finally:
            over.set()

    together(ask, 2, move)
    alone = {number: min((shares for v, shares in answers if v == number), key=len) for number in ("1", "2")}
    mixed = sum(shares != alone[number] or len(shares) > 1 for number, shares in answers)
    return len(answers) + len(failed), len(failed), mixed


def soaked(home: Path, url: str, body: bytes, process: psutil.Process, requests: int) -> None:
    """Asks that many times; says the rate, the failures and every process's megabytes after each tenth."""
    answered, failed, rate = 0, 0, 1000.0
    print(f"soak of {requests:,} requests, 8 connections\n{'requests':>12}{'a second':>10}{'failed':>8}   MB a process")
    for tenth in range(11):
        began, before = time.perf_counter(), answered
        while tenth and (answered == before or answered < requests * tenth / 10):
            found = driven(home, url, body, 8, min(30.0, (requests * tenth / 10 - answered) / rate))
            answered, failed, rate = answered + int(found["answered"]), failed + int(found["failed"]), found["rate"]
        pace = (answered - before) / (time.perf_counter() - began)
        sizes = " ".join(f"{size:.0f}" for size in megabytes(process))
        print(f"{answered:>12,}{pace:>10,.0f}{failed:>8,}   {sizes}", flush=True)


def version(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    return int(json.loads(connection.getresponse().read())["version"])


def batch(home: Path, scorer: Any, rows: int, repeats: int) -> None:
    """`leaflab predict`, Parquet to Parquet, and encoding plus the bare booster in memory, by turns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    matrix = np.random.default_rng(1).normal(size=(rows, len(COLUMNS)))
    pq.write_table(pa.table({name: matrix[:, i] for i, name in enumerate(COLUMNS)}), home / "in.parquet")
    frame = pq.read_table(home / "in.parquet").to_pandas()
    command = [sys.executable, "-m", "leaflab", "predict", "name=bench", "input=in.parquet", "output=out.parquet"]
    environment = {**os.environ, "LEAFLAB_HOME": str(home)}
    took: list[tuple[float, float]] = []
    for _ in range(repeats):
        said = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True).stdout
        seconds = re.search(r"in ([\d.]+) s", said)
        began = time.perf_counter()
        scorer.predictor.boosters[0].predict(scorer.matrix(frame))
        took.append((float(seconds[1] if seconds else "nan"), time.perf_counter() - began))
    own, bare = rows / np.median(took, axis=0)
    each = ", ".join(f"{theirs / mine:.2f}" for mine, theirs in took)
    print(f"leaflab predict: {own:,.0f} rows/s, encoding and the bare booster {bare:,.0f} rows/s, "
          f"{own / bare:.2f} times (asked: at least 0.9); medians of {repeats}, each: {each}")  # fmt: skip


SERVING = ("leaflab", "serve", "name=bench", "serve.port={port}")


def compared(home: Path, scorer: Any, matrix: np.ndarray, seconds: float, bentoml: str | None) -> None:
    """All servers with the same rows, one after the other."""
    one, thousand = split(matrix[:1]), split(matrix[:1000])
    booster = scorer.predictor.boosters[0]
    servers: dict[str, tuple[str, ...]] = {
        "leaflab": SERVING,
        "mlflow": ("mlflow", "models", "serve", "-m", "models:/bench@champion", "-p", "{port}",
                   "--env-manager", "local", "--workers", "1"),
    }  # fmt: skip
    bodies: dict[str, tuple[str, bytes, bytes]] = dict.fromkeys(servers, ("invocations", one, thousand))
    if bentoml:
        booster.save_model(home / "booster.txt")
        (home / "service.py").write_text(BENTO)
        servers["bentoml"] = (bentoml, "-m", "bentoml", "serve", "service:Bench", "--port", "{port}")
        small, large = (json.dumps({"rows": matrix[:n].tolist()}).encode() for n in (1, 1000))
        bodies["bentoml"] = ("predict", small, large)
    print(f"{'':<10}{'requests/s':>12}{'p50':>10}{'p99':>10}{'1,000 rows, p50':>18}{'worker':>10}{'failed':>8}")
    found = {}
    for name, words in servers.items():
        path, small, large = bodies[name]
        with running(home, name, *words) as (port, process):
            url = f"http://127.0.0.1:{port}/{path}"
            driven(home, url, small, 8, 1.0)
            many, single, rows = (driven(home, url, *how, seconds) for how in ((small, 8), (small, 1), (large, 1)))
            failed = int(many["failed"] + single["failed"] + rows["failed"])
            print(f"{name:<10}{many['rate']:>12,.0f}{single['p50']:>7.2f} ms{single['p99']:>7.2f} ms"
                  f"{rows['p50']:>15.1f} ms{max(megabytes(process)):>7.0f} MB{failed:>8}", flush=True)  # fmt: skip
        found[name] = many["rate"], rows["p50"]
        if name == "leaflab":
            bare = median_of(lambda: booster.predict(np.array(json.loads(thousand)["dataframe_split"]["data"])))
    print(
        f"requests/s, 8 connections: {found['leaflab'][0] / found['mlflow'][0]:.1f} times mlflow (asked: at least 15)"
    )
    times = found["leaflab"][1] / bare
    print(f"1,000 rows: JSON and the bare booster {bare:.1f} ms, {times:.2f} times (asked: at most 1.3)")


def measure(home: Path, asked: argparse.Namespace) -> None:
    scorer, matrix = project(home)
    parts = asked.parts or PARTS
    if "http" in parts:
        compared(home, scorer, matrix, asked.seconds, asked.bentoml)
    if "swaps" in parts:
        with running(home, "swaps", *SERVING, "serve.poll_seconds=0.2") as (port, _):
            rows = json.dumps({"rows": [dict(zip(COLUMNS, matrix[0], strict=True))] * 5}).encode()
            answers, failed, mixed = swapped(home, port, rows, asked.swaps)
        print(f"{asked.swaps} swaps under load: {answers:,} answers, {failed} failed, {mixed} mixed (asked: 0, 0)")
    if "soak" in parts:
        with running(home, "soak", *SERVING, f"serve.workers={asked.workers}") as (port, process):
            soaked(home, f"http://127.0.0.1:{port}/invocations", split(matrix[:1]), process, asked.requests)
    if "batch" in parts:
        batch(home, scorer, asked.rows, asked.repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--bentoml", metavar="PYTHON", help="the Python of an environment with bentoml and lightgbm")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--requests", type=int, default=20_000, help="of the soak; 1000000 takes a quarter of an hour")
    parser.add_argument("--workers", type=int, default=1, help="of the soak")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the batch prediction")
    parser.add_argument("--repeats", type=int, default=5, help="of the batch prediction")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="leaflab-serve-", ignore_cleanup_errors=True) as folder:
        measure(Path(folder), asked)


if __name__ == "__main__":
    main()
