"""What the driver costs: CPU milliseconds of one ask and one tell, by the number of trials that went before.

python benchmarks/driver.py [--trials 10000] [--sampler tpe]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import optuna
import yaml

from leaflab.metric.probability import LogLoss
from leaflab.search.journal import Journal
from leaflab.search.objectives import Objectives
from leaflab.search.samplers import Random, Tpe
from leaflab.search.space import distributions
from leaflab.search.study import Study
from leaflab.values import Trial

SPACE = Path(__file__).resolve().parents[1] / "conf" / "search" / "space" / "default.yaml"
MARKS = (10, 100, 1_000, 10_000)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe")
    asked = parser.parse_args()
    varying, fixed = distributions(yaml.safe_load(SPACE.read_text()))
    samplers = {"tpe": Tpe(), "random": Random()}
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Journal(Path(folder) / "journal.log"), "s", Objectives(LogLoss()), optuna.pruners.NopPruner())
        curve = tuple((i, 1 / i) for i in range(1, 101))
        for number in range(asked.trials):
            near = any(mark - 5 <= number < mark for mark in MARKS)
            study.prepare(samplers[asked.sampler if near else "random"], 0, varying, fixed)
            started = time.process_time()
            _, params = study.ask()
            between = time.process_time()
            rate = params["learning_rate"]
            study.tell(Trial(number, "complete", params, rate, curve=curve, facts={"fit_seconds": 1.0}))
            ended = time.process_time()
            if number + 1 in MARKS:
                ask, tell = 1000 * (between - started), 1000 * (ended - between)
                print(f"{number + 1:>6} trials: ask {ask:.1f} ms, tell {tell:.1f} ms", flush=True)
        size = (Path(folder) / "journal.log").stat().st_size
        started = time.process_time()
        Study(Journal(Path(folder) / "journal.log"), "s", Objectives(LogLoss()), optuna.pruners.NopPruner()).finished()
        print(f"journal {size / 1e6:.1f} MB, opened again in {time.process_time() - started:.1f} s")


if __name__ == "__main__":
    main()
