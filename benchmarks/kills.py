"""Kills drivers and workers of one sweep at random moments, and compares what is left with a sweep nobody touched.

python benchmarks/kills.py [--kills 50] [--trials 80] [--seed 0] [--words executor.workers=2 search.ordered=true …]
python benchmarks/kills.py --folder kept --seconds 200    # in pieces: the same line again goes on

Four in five kills fall anywhere between the start of a process and its last trial, the rest after the last trial, while
the final model is fitted, logged and registered. The victim is the driver or any process it started. Afterwards the
same command runs to its end, and the study (with Optuna), the runs (with MLflow) and the model must be those of the
sweep that ran in one piece.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pandas as pd
import psutil

SWEEP = [sys.executable, "-m", "leaflab", "sweep", "source.path=table.csv", "dataset.target=y", "model.max_rounds=30"]


def table(home):
    random_ = np.random.default_rng(0)
    frame = pd.DataFrame(random_.normal(size=(300, 4)), columns=list("abcd"))
    frame["kind"] = random_.choice(["red", "green", "blue"], 300)
    frame["y"] = frame["a"] * frame["b"] + (frame["kind"] == "red") + random_.normal(size=300) / 2
    frame.to_csv(home / "table.csv", index=False)


class Sweep:
    """One project folder and the command that is typed in it."""

    def __init__(self, home, words):
        home.mkdir(exist_ok=True, parents=True)
        table(home)
        self.home, self.words = home, [*SWEEP, *words]

    def start(self):
        environment = os.environ | {"LEAFLAB_HOME": str(self.home), "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.home / "out.txt").open("w") as out:
            return subprocess.Popen(self.words, cwd=self.home, env=environment, stdout=out, stderr=subprocess.STDOUT)

    def finish(self):
        code = self.start().wait()
        assert code == 0, (self.home / "out.txt").read_text()

    @property
    def journal(self):
        return next(iter(self.home.glob(".leaflab/sweeps/*/journal.log")), None)

    def told(self):
        return self.journal.read_bytes().count(b'"leaflab:outcome"') if self.journal else 0

    def study(self):
        """Number, state, parameters, value and reports of every trial, as Optuna reads them."""
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(self.journal)))
        study = optuna.load_study(study_name=self.journal.parent.name, storage=storage)
        trials = [(t.number, t.state.name, t.params, t.value, t.intermediate_values) for t in study.trials]
        return trials, (study.best_trial.number, study.best_value)

    def runs(self):
        """Runs by kind, and what MLflow knows of each trial, time apart."""
        client = mlflow.MlflowClient(f"sqlite:///{self.home}/mlflow.db")
        everything = [
            r for e in client.search_experiments() for r in client.search_runs([e.experiment_id], max_results=5000)
        ]
        trials = [r for r in everything if r.data.tags.get("leaflab.verb") == "trial"]
        plain = {
            int(r.data.tags["leaflab.trial"]): (
                r.info.status,
                r.data.tags["leaflab.state"],
                r.data.params,
                {k: v for k, v in r.data.metrics.items() if k.startswith("valid/")},
                len(client.get_metric_history(r.info.run_id, "valid/rmse")),
            )
            for r in trials
        }
        verbs = Counter((r.data.tags.get("leaflab.verb"), r.info.status) for r in everything)
        versions = [(v.version, v.aliases) for v in client.search_model_versions("name='table'")]
        return plain, verbs, len(trials), len(versions)

    def model(self):
        folder = self.journal.parent / "final"
        return [p.read_text() for p in sorted(folder.glob("*.txt"))], json.loads((folder / "final.json").read_text())


def victims(driver):
    """The driver and every process it started."""
    try:
        return [driver, *psutil.Process(driver.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return [driver]


def moment(sweep, process, trials, late, kills, generator):
    """Waits for the next moment to strike; false where the process ended before."""
    until = time.monotonic() + generator.uniform(0.0, 20.0) if generator.random() < 0.3 else float("inf")
    goal = trials if late else min(trials - 1, sweep.told() + generator.randint(0, 1 + 2 * trials // kills))
    while process.poll() is None and sweep.told() < goal and (late or time.monotonic() < until):
        time.sleep(0.005)
    time.sleep(generator.uniform(0.0, 4.0 if late else 0.3))
    return process.poll() is None


def kill_some(sweep, kills, trials, generator, end):
    """Kills until the count is full, starting the command again when it is not running; how many of each kind."""
    known = sweep.home / "struck.json"
    struck = Counter(json.loads(known.read_text()) if known.is_file() else {})
    process = sweep.start()
    while (count := sum(struck.values())) < kills and time.monotonic() < end:
        if process.poll() is not None:
            process = sweep.start()
        late = count >= kills - kills // 5
        if not moment(sweep, process, trials, late, kills, generator):
            continue
        driver, *others = victims(process)
        victim = generator.choice(others) if others and generator.random() < 0.4 else driver
        what = ("driver" if victim is driver else "its child") + (" after the last trial" if late else "")
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            struck[what] += 1
            known.write_text(json.dumps(struck))
            print(f"{count + 1:>3}: {what}, {sweep.told()} of {trials} trials", flush=True)
        if victim is driver:
            process.wait()
    if sum(struck.values()) < kills:
        process.kill()
    process.wait()
    return struck


def compared(whole, struck, trials):
    """What is left of the sweep that was struck, beside the one that was not."""
    one, two = whole.study(), struck.study()
    numbers = [t[0] for t in two[0]]
    untouched, (shown, verbs, runs, versions) = whole.runs()[0], struck.runs()
    return {
        "trials in Optuna": len(numbers),
        "lost": trials - len(set(numbers) & set(shown)),
        "doubled": len(numbers) - len(set(numbers)) + runs - len(shown),
        "trials that differ in Optuna": sum(a != b for a, b in zip(one[0], two[0], strict=True)),
        "trials that differ in MLflow": sum(shown[n] != untouched[n] for n in numbers),
        "runs left RUNNING": sum(count for (_, status), count in verbs.items() if status == "RUNNING"),
        "runs": ", ".join(f"{count} {verb} {status}" for (verb, status), count in sorted(verbs.items())),
        "versions registered": versions,
        "best trial": two[1],
        "same best": one[1] == two[1],
        "same final model": whole.model() == struck.model(),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--words", nargs="*", default=["executor.workers=1"])
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    words = [f"search.trials={asked.trials}", *asked.words]
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="leaflab-"))
    whole, struck = Sweep(folder / "whole", words), Sweep(folder / "struck", words)
    whole.finish()
    begin = sum(1 for _ in struck.home.glob("struck.json"))
    counts = kill_some(struck, asked.kills, asked.trials, random.Random(asked.seed + begin * os.getpid()), end)
    if sum(counts.values()) < asked.kills:
        print("The same line again goes on.")
        return
    struck.finish()
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores; killed: {dict(counts)}")
    for name, value in compared(whole, struck, asked.trials).items():
        print(f"{name:>30}: {value}")
    if asked.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
