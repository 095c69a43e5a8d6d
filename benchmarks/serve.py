"""Serving: `leaflab serve` beside `mlflow models serve`, the same model on the same machine in one run.

    python benchmarks/serve.py [--seconds 5] [--swaps 100] [--requests 20000] [--rows 400000]

20 numeric columns, 300 rounds, one worker each, the inference log and the request log on. Both servers are driven by
wrk where it is installed, else by a small client of ours: 8 connections for requests a second, 1 for the latency.
`--bentoml PYTHON` drives BentoML too, from an environment of its own (`uv pip install bentoml lightgbm`).
Further: 1,000 rows in one request against JSON decoding and the bare booster, swaps of the alias under load, memory
over many requests, and `leaflab predict` against encoding and the bare booster.
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
    tracking = Local(home=str(home))
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
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, env=environment, start_new_session=True)
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


def memory(process: psutil.Process) -> float:
    """Megabytes of the largest process, the one that holds the model."""
    family = [process, *process.children(recursive=True)]
    return max(one.memory_info().rss for one in family) / 2**20


def driven(home: Path, url: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Requests a second and latency in milliseconds."""
    if not shutil.which("wrk"):
        return ours(url, body, connections, seconds)
    (home / "body.json").write_bytes(body)
    (home / "ask.lua").write_text(LUA.format(body=home / "body.json"))
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--latency",
        "-s",
        str(home / "ask.lua"),
        url,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"{url} refused: {text}")
    found = {
        share: float(value) * UNITS[unit] for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", text)
    }
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    return {"rate": float(rate[1]) if rate else 0.0, "p50": found["50"], "p99": found["99"]}


def ours(url: str, body: bytes, connections: int, seconds: float) -> dict[str, float]:
    host, _, path = url.removeprefix("http://").partition("/")
    took: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(host, timeout=60)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            connection.request("POST", f"/{path}", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"{url} answered {answer.status}")
            took.append((time.perf_counter() - began) * 1e3)

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"rate": len(took) / seconds, "p50": float(np.median(took)), "p99": float(np.quantile(took, 0.99))}


def best_of(call: Callable[[], Any], times: int = 30) -> float:
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

    registry = Local(home=str(home)).registry
    over, tally = threading.Event(), [0, 0, 0]
    known: dict[str, set[str]] = {}

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not over.is_set():
            connection.request("POST", "/predict?proba=true", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            plain = json.loads(answer.read())
            tally[0] += 1
            tally[1] += answer.status != 200
            shares = {str(row["probabilities"]["yes"]) for row in plain.get("rows", ())}
            known.setdefault(answer.headers["x-leaflab-version"], set()).update(shares)
            tally[2] += len(shares) != 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for swap in range(swaps):
        number = 2 - swap % 2
        registry.point("bench", "champion", number)
        while version(port) != number:
            time.sleep(0.01)
    over.set()
    for thread in threads:
        thread.join()
    tally[2] += sum(len(shares) != 1 for shares in known.values())
    return tally[0], tally[1], tally[2]


def soaked(home: Path, url: str, body: bytes, process: psutil.Process, requests: int) -> list[float]:
    """The number of requests answered, and the server's megabytes after each tenth of them."""
    answered, sizes = 0.0, []
    for tenth in range(1, 11):
        while answered < requests * tenth / 10:
            answered += 5 * driven(home, url, body, 8, 5)["rate"]
        sizes.append(memory(process))
    return [answered, *sizes]


def version(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    return int(json.loads(connection.getresponse().read())["version"])


def batch(home: Path, scorer: Any, rows: int) -> tuple[float, float]:
    """Rows a second of `leaflab predict`, Parquet to Parquet, and of encoding plus the bare booster in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    matrix = np.random.default_rng(1).normal(size=(rows, len(COLUMNS)))
    pq.write_table(pa.table({name: matrix[:, i] for i, name in enumerate(COLUMNS)}), home / "in.parquet")
    command = [sys.executable, "-m", "leaflab", "predict", "name=bench", "input=in.parquet", "output=out.parquet"]
    environment = {**os.environ, "LEAFLAB_HOME": str(home)}
    said = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True).stdout
    seconds = re.search(r"in ([\d.]+) s", said)
    frame = pq.read_table(home / "in.parquet").to_pandas()
    began = time.perf_counter()
    scorer.predictor.boosters[0].predict(scorer.matrix(frame))
    return rows / float(seconds[1] if seconds else "nan"), rows / (time.perf_counter() - began)


def ratio(name: str, ours: float, theirs: float, asked: str, *, unit: str = "") -> None:
    print(f"{name:<34}{ours:>12,.2f}{unit:<3}{theirs:>12,.2f}{unit:<3}{ours / theirs:>9.2f}   {asked}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--requests", type=int, default=20_000, help="of the soak; 1000000 takes a quarter of an hour")
    parser.add_argument("--bentoml", metavar="PYTHON", help="the Python of an environment with bentoml and lightgbm")
    parser.add_argument("--rows", type=int, default=400_000, help="of the batch prediction")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leaflab-serve-", ignore_cleanup_errors=True) as folder:
        measure(Path(folder), asked)


def measure(home: Path, asked: argparse.Namespace) -> None:
    scorer, matrix = project(home)
    one, thousand = split(matrix[:1]), split(matrix[:1000])
    booster = scorer.predictor.boosters[0]
    bare = best_of(lambda: booster.predict(np.array(json.loads(thousand)["dataframe_split"]["data"])))
    found: dict[str, dict[str, Any]] = {}
    serving = ("leaflab", "serve", "name=bench", "serve.port={port}")
    servers = {
        "leaflab": serving,
        "mlflow": ("mlflow", "models", "serve", "-m", "models:/bench@champion", "-p", "{port}",
                   "--env-manager", "local", "--workers", "1"),
    }  # fmt: skip
    bodies = dict.fromkeys(servers, ("invocations", one, thousand))
    if asked.bentoml:
        booster.save_model(home / "booster.txt")
        (home / "service.py").write_text(BENTO)
        servers["bentoml"] = (asked.bentoml, "-m", "bentoml", "serve", "service:Bench", "--port", "{port}")
        bodies["bentoml"] = ("predict", *(json.dumps({"rows": matrix[:n].tolist()}).encode() for n in (1, 1000)))
    for name, words in servers.items():
        path, small, large = bodies[name]
        with running(home, name, *words) as (port, process):
            url = f"http://127.0.0.1:{port}/{path}"
            driven(home, url, small, 8, 1.0)
            found[name] = {
                "rate": driven(home, url, small, 8, asked.seconds)["rate"],
                "single": driven(home, url, small, 1, asked.seconds),
                "large": driven(home, url, large, 1, asked.seconds),
                "memory": memory(process),
            }
    own, theirs = found["leaflab"], found["mlflow"]
    with running(home, "swaps", *serving, "serve.poll_seconds=0.2") as (port, process):
        rows = json.dumps({"rows": [dict(zip(COLUMNS, matrix[0], strict=True))] * 5}).encode()
        tally = swapped(home, port, rows, asked.swaps)
        soak = soaked(home, f"http://127.0.0.1:{port}/invocations", one, process, asked.requests)
    print(f"{'':<34}{'leaflab':>15}{'mlflow':>15}{'ratio':>9}   asked")
    ratio("requests/s, 8 connections", own["rate"], theirs["rate"], "at least 15")
    for quantile in ("p50", "p99"):
        wanted = "ours at most 1 ms" if quantile == "p50" else ""
        ratio(f"{quantile}, 1 connection", own["single"][quantile], theirs["single"][quantile], wanted, unit=" ms")
    ratio("1,000 rows, p50", own["large"]["p50"], theirs["large"]["p50"], "", unit=" ms")
    ratio("memory of the worker", own["memory"], theirs["memory"], "", unit=" MB")
    if bento := found.get("bentoml"):
        p50, p99 = bento["single"]["p50"], bento["single"]["p99"]
        print(f"bentoml: {bento['rate']:,.0f} requests/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
              f"1,000 rows {bento['large']['p50']:.1f} ms, {bento['memory']:.0f} MB")  # fmt: skip
    print(f"\n1,000 rows: {own['large']['p50']:.1f} ms, JSON and the bare booster {bare:.1f} ms, "
          f"{own['large']['p50'] / bare:.2f} times (asked: at most 1.3)")  # fmt: skip
    print(f"{asked.swaps} swaps under load: {tally[0]:,} answers, {tally[1]} failed, {tally[2]} mixed (asked: 0, 0)")
    print(f"soak of {soak[0]:,.0f} requests, MB after each tenth: {' '.join(f'{size:.0f}' for size in soak[1:])}")
    batched, plain = batch(home, scorer, asked.rows)
    print(f"leaflab predict: {batched:,.0f} rows/s, encoding and the bare booster {plain:,.0f} rows/s, "
          f"{batched / plain:.2f} times (asked: at least 0.9)")  # fmt: skip


if __name__ == "__main__":
    main()
