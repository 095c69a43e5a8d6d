"""How often does the monitor cry wolf? References and windows that are disjoint draws of one population.

    python benchmarks/false_alarms.py [--repeats 200] [--tasks binary multiclass regression] [--columns 6]
                                      [--reference 6000] [--window 2000] [--data FILE --target COLUMN]

Every repeat draws a reference, a model of it and a window anew, and runs every test of the monitor at once; an alarm is
what makes `leaflab monitor` exit with 3. At `monitor.alpha=0.05` at most 17 of 200 may do so (ten are expected; more
than 17 have a chance of one in a hundred). With a file, its rows are the population, shuffled for every repeat.

The same looks tell how good estimates without labels are where the concept stands still: the mean distance of estimated
and realised metrics, how often it is 0.02 or less, and how often the 95 % interval of the estimate holds what came.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leaflab.door.compose import lab_for
from leaflab.metric.all import all_metrics
from leaflab.values import Dataset
from leaflab.watch.look import Limits, look
from leaflab.watch.reference import codes_of, reference
from leaflab.watch.window import Gathering, Typed
from leaflab.workflow.learning import scorer_of

if TYPE_CHECKING:
    from leaflab.scorer import Scorer
    from leaflab.watch.look import Known, Sight

ROUNDS = 40


def population(task: str, columns: int, rows: int, random: np.random.Generator) -> pd.DataFrame:
    """A table whose first columns decide its target: numbers of several shapes, some missing, and categories."""
    shapes = (random.standard_normal, random.standard_exponential, lambda n: random.standard_t(2, n))
    frame = pd.DataFrame({f"n{i}": shapes[i % 3](rows) for i in range(columns - columns // 3)})
    frame["n1"] = frame["n1"].mask(random.random(rows) < 0.1)
    for i in range(columns // 3):
        frame[f"c{i}"] = random.choice(list("abcdefgh"), rows, p=np.arange(8, 0, -1) / 36)
    raw = 1.5 * frame["n0"] + frame["n1"].fillna(1) + (frame["c0"] == "a")
    noise = random.standard_normal(rows)
    if task == "regression":
        return frame.assign(y=raw * 10 + noise * (1 + 5 * frame["n1"].fillna(1)))
    cuts = [0.5] if task == "binary" else [0, 1, 2]
    return frame.assign(y=np.array(list("pqrs"))[np.digitize(raw + noise, cuts)])


def known_of(lab: Any, table: pa.Table, rows: int, seed: int) -> tuple[Dataset, Known, pa.Table]:
    """What is known of a model of the first rows of a table, and the typed rows that come after them."""
    prepared = lab.prepare.clean(table, lab.dataset, ())
    whole, ends = prepared.table, [0, int(0.5 * rows), int(0.6 * rows), rows]
    parts = {p: whole.slice(a, b - a) for p, a, b in zip(("train", "valid", "test"), ends, ends[1:], strict=False)}
    dataset = Dataset("null", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {},
                      features=prepared.features, facts=prepared.facts, monotone=prepared.monotone)  # fmt: skip
    deciding = lab.metric.resolve(dataset.task)
    metrics = [deciding, *(m for m in all_metrics(dataset.task) if m.name != deciding.name)]
    return dataset, reference(learnt(dataset, seed), dataset, metrics, seed=seed), whole.slice(rows)


def seen(lab: Any, known: Known, frame: pd.DataFrame, truth: np.ndarray) -> Sight:
    """One look, all tests together, at rows and their class codes or values."""
    made = Gathering(known.profile.columns, sample=lab.monitor.sample)
    made.add(Typed(frame, truth, np.arange(len(frame))))
    return look(known, made.window("now", known.scorer), lab.drift, Limits(), 0.0)


def features(known: Known, table: pa.Table) -> pd.DataFrame:
    """The columns that the model reads."""
    return table.select([column.name for column in known.scorer.columns]).to_pandas()


def one(lab: Any, table: pa.Table, reference_rows: int, seed: int) -> Sight:
    """A model of the first rows, and what one look at the others sees."""
    dataset, known, later = known_of(lab, table, reference_rows, seed)
    return seen(lab, known, features(known, later), codes_of(dataset, later))


def learnt(dataset: Dataset, seed: int) -> Scorer:
    """A booster of the train part."""
    import lightgbm

    from leaflab.model.encoding import fit_encoder, training_matrix
    from leaflab.scorer.predictor import Boosters

    train = dataset.parts["train"].to_pandas()
    encoder = fit_encoder(dataset, train)
    params = {"objective": dataset.task, "verbose": -1, "seed": seed, "num_leaves": 15, "num_threads": 1}
    if dataset.task == "multiclass":
        params["num_class"] = len(dataset.classes)
    matrix = training_matrix(dataset, encoder, train)
    data = lightgbm.Dataset(matrix, codes_of(dataset, dataset.parts["train"]), categorical_feature=encoder.categorical)
    booster = lightgbm.train(params, data, ROUNDS)
    return scorer_of(dataset, encoder, Boosters([booster.model_to_string()]), {})


def counted(sights: list[Sight]) -> str:
    """How many looks raised an alarm, and which tests cried."""
    found = sum(bool(sight.alarms) for sight in sights)
    cried = Counter(test for sight in sights for test in {signal.finding.test for signal in sight.alarms})
    return f"{found} of {len(sights)} looks raised an alarm {dict(cried) or ''}"


def estimates(sights: list[Sight]) -> Iterator[str]:
    """How near the estimates came, a line a metric."""
    for name in sorted({name for sight in sights for name in sight.estimated.keys() & sight.realised.keys()}):
        pairs = [(s.estimated[name], s.realised[name].value) for s in sights if name in s.estimated]
        errors = np.array([abs(guess.value - came) for guess, came in pairs])
        covered = np.mean([guess.low <= came <= guess.high for guess, came in pairs])
        level = np.mean([came for _, came in pairs])
        near = f"off by {errors.mean():.4f} on average, 0.02 or less in {(errors <= 0.02).mean():.0%}"
        yield f"  {name:20} {level:10.4f}, {near}; the interval covers {covered:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--tasks", nargs="+", default=["binary", "multiclass", "regression"])
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--reference", type=int, default=6000)
    parser.add_argument("--window", type=int, default=2000)
    parser.add_argument("--data", default=None)
    parser.add_argument("--target", default="y")
    asked = parser.parse_args()
    lab = lab_for("monitor", ["name=wolf", f"dataset.target={asked.target}"])
    lab = replace(lab, prepare=replace(lab.prepare, duplicates="keep"))
    rows = asked.reference + asked.window
    if asked.data:
        from leaflab.source.file import File

        real = File(path=asked.data).read().table()

        def drawn(seed: int) -> pa.Table:
            return real.take(np.random.default_rng(seed).permutation(real.num_rows)[:rows])

        settings = {asked.data.rpartition("/")[2]: drawn}
    else:
        settings = {
            task: lambda seed, task=task: pa.Table.from_pandas(
                population(task, asked.columns, rows, np.random.default_rng(seed)), preserve_index=False
            )
            for task in asked.tasks
        }
    for name, tables in settings.items():
        sights = [one(lab, tables(seed), asked.reference, seed) for seed in range(asked.repeats)]
        print(f"{name:12} {asked.reference:,} rows against {asked.window:,}: {counted(sights)}")
        print("\n".join(estimates(sights)), flush=True)


if __name__ == "__main__":
    main()
