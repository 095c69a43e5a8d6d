"""What tracking costs: leaflab's projection beside the ways people use today, both sides in one run.

python benchmarks/tracking.py                 # all parts, about ten minutes on two cores
python benchmarks/tracking.py ways --trials 20
python benchmarks/tracking.py sweep --repeat 1
python benchmarks/tracking.py first
python benchmarks/tracking.py many --count 1000
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tracking_ways import COLUMNS, ROWS, SIDES, Trials, local, scorer_files

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_DISABLE_AGENT_HINT": "1", "OMP_NUM_THREADS": "1"}
os.environ.pop("MLFLOW_TRACKING_URI", None)


def prepared() -> Path:
    """A project folder whose store is made already: making it is measured by `first`."""
    from leaflab.tracking.opening import opened

    folder = Path(tempfile.mkdtemp(prefix="leaflab-bench-"))
    template = Path(tempfile.gettempdir()) / "leaflab-bench-template.db"
    if not template.exists():
        made = Path(tempfile.mkdtemp()) / "mlflow.db"
        opened(f"sqlite:///{made}")
        shutil.copy(made, template)
    shutil.copy(template, folder / "mlflow.db")
    return folder


def size(folder: Path) -> int:
    seen = {p.stat().st_ino: p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    return sum(seen.values())


def ways(count: int) -> None:
    """Added time, bytes and statements a trial, every way of recording the same trials."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    asked = [0]
    event.listen(Engine, "before_cursor_execute", lambda *words: asked.__setitem__(0, asked[0] + 1))
    trials = Trials()
    trials.fit(0)
    base, ours = 0.0, 0.0
    print(
        f"{'':34}{'ms a trial':>12}{'added':>10}{'trials/s':>10}{'KB a trial':>12}{'SQL a trial':>12}{'x leaflab':>11}"
    )
    for name, side in SIDES.items():
        folder, number = prepared(), max(3, count // 10) if "autolog" in name else count
        empty, asked[0], started = size(folder), 0, time.perf_counter()
        try:
            side(folder, trials, number)
        except ModuleNotFoundError as error:
            print(f"{name:34}  needs `pip install {str(error.name).replace('_', '-')}`")
            continue
        each = (time.perf_counter() - started) / number
        base = base or each
        added, kilobytes = each - base, (size(folder) - empty) / number / 1000
        ours = added if side is local else ours
        ratio = f"{added / ours:.0f}" if ours and side is not local else ""
        facts = f"{each * 1e3:12.1f}{added * 1e3:10.1f}{1 / each:10.1f}{kilobytes:12.1f}{asked[0] / number:12.1f}"
        print(f"{name:34}{facts}{ratio:>11}", flush=True)
        shutil.rmtree(folder)
    print("(leaflab's own statements go past SQLAlchemy, in bulk, and are not counted)")


def sweep(repeat: int) -> None:
    """Whole sweeps with tracking=local against tracking=memory: tiny trials, and trials of about a second."""
    table = Path(tempfile.mkdtemp()) / "bench.csv"
    _table(table, 2000)
    large = table.with_name("large.csv")
    _table(large, 60_000)
    cases = {"tiny": (table, 40, []), "about a second": (large, 8, ["model.max_rounds=600"])}
    for name, (file, trials, more) in cases.items():
        walls: dict[str, list[float]] = {"memory": [], "local": []}
        for _ in range(repeat):
            for tracking, found in walls.items():
                folder = prepared()
                found.append(
                    _sweep(
                        folder,
                        [
                            f"source.path={file}",
                            "dataset.target=y",
                            f"search.trials={trials}",
                            f"tracking={tracking}",
                            *more,
                        ],
                    )
                )
                shutil.rmtree(folder)
        a, b = (statistics.median(walls[k]) for k in ("memory", "local"))
        print(f"sweep of {trials} {name} trials: memory {a:.2f} s, local {b:.2f} s, "
              f"ratio {b / a:.3f}, {(b - a) / trials * 1e3:+.1f} ms a trial")  # fmt: skip


def _table(file: Path, rows: int) -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, COLUMNS))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=rows) > 0).astype(int)
    head = ",".join([*(f"c{i}" for i in range(COLUMNS)), "y"])
    np.savetxt(file, np.column_stack([x, y]), delimiter=",", header=head, comments="", fmt=["%.4f"] * COLUMNS + ["%d"])


def _sweep(folder: Path, words: list[str]) -> float:
    environment = os.environ | {"LEAFLAB_HOME": str(folder)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "leaflab", "sweep", "-q", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - started


def first() -> None:
    """From the command to the first trial on a fresh store, against a bare script that imports the three libraries."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import mlflow, lightgbm, optuna"], check=True)
    bare_seconds = time.perf_counter() - started
    table = Path(tempfile.mkdtemp()) / "bench.csv"
    _table(table, 2000)
    folder = Path(tempfile.mkdtemp(prefix="leaflab-bench-"))
    environment, started = os.environ | {"LEAFLAB_HOME": str(folder)}, time.time()
    words = [
        sys.executable,
        "-m",
        "leaflab",
        "sweep",
        "-q",
        f"source.path={table}",
        "dataset.target=y",
        "search.trials=3",
    ]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    from leaflab.tracking.local import Local

    trial = min(Local(home=folder).search(tags={"leaflab.verb": "trial"}), key=lambda r: r.started)
    print(f"bare imports {bare_seconds:.2f} s; command to first trial {trial.started - started:.2f} s "
          f"({trial.started - started - bare_seconds:+.2f} s)")  # fmt: skip


def many(count: int) -> None:
    """Many trials in one sweep: cost a trial as they add up, size, and how soon the runs are shown."""
    from leaflab.tracking.base import RunSpec
    from leaflab.tracking.local import Local
    from leaflab.values import Input, Metric, Model, Param

    params, booster, curve = Trials().fit(0)
    files, folder = scorer_files(booster), prepared()
    part = Input("toy", "0" * 32, "train", "lake/dataset/toy/train@0", ROWS, {"a": "double"})
    tags = {"leaflab.metric": "valid/log_loss", "leaflab.direction": "minimize"}
    run = Local(home=folder).start(RunSpec("bench", "sweep", "sweep bench", "k", tags=tags))
    marks, last, cpu = [100, 1000, 2000, 5000, 10_000], 0, time.process_time()
    for number in range(count):
        points = [Metric("valid/log_loss", v, i) for i, v in enumerate(curve, 1)]
        final = Metric("valid/log_loss", curve[-1] + (number * 7919 % 1000) / 1e4)
        items = [*(Param(k, v) for k, v in params.items()), *points, final, part, Model(files, params=params)]
        run.child(
            RunSpec("bench", "trial", f"trial {number:05d}", f"k/{number}", run.id),
            items,
            status="FINISHED",
            started=number,
            ended=number + 1,
        )
        if number + 1 in marks:
            Local(home=folder).projector.flush()
            now = time.process_time()
            print(
                f"trials {last + 1} to {number + 1}: {(now - cpu) / (number + 1 - last) * 1e3:.1f} ms of CPU a trial",
                flush=True,
            )
            cpu, last = now, number + 1
    run.end("FINISHED")
    files = size(folder / "mlartifacts")
    print(f"store {(folder / 'mlflow.db').stat().st_size / 1e6:.0f} MB, models {files / 1e6:.0f} MB")
    started = time.perf_counter()
    found = len(Local(home=folder).search("bench", {"leaflab.verb": "trial"}, limit=100_000))
    print(f"`leaflab runs` reads {found} trials in {time.perf_counter() - started:.2f} s")
    _shown(folder)
    shutil.rmtree(folder)


def _shown(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    from leaflab.commands.ui import serving

    with serving(f"sqlite:///{folder}/mlflow.db") as (url, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.wait_for_timeout(3000)
        started = time.perf_counter()
        page.goto(f"{url}/#/experiments/1/runs?workflowType=machine_learning")
        page.get_by_text("sweep bench").first.wait_for(timeout=120_000)
        print(f"the UI's runs table shows after {time.perf_counter() - started:.1f} s")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["ways", "sweep", "first", "many", "all"], default="all")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = {
        "first": first,
        "ways": lambda: ways(given.trials),
        "sweep": lambda: sweep(given.repeat),
        "many": lambda: many(given.count),
    }
    for name, part in parts.items():
        if given.part in (name, "all"):
            print(f"\n== {name}", flush=True)
            part()


if __name__ == "__main__":
    main()
