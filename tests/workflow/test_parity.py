from __future__ import annotations

import asyncio

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.scorer import Column, Encoder, Feature, Scorer
from leaflab.scorer.predictor import Boosters
from leaflab.tracking.base import RunSpec
from leaflab.tracking.local import Local
from leaflab.values import Model
from leaflab.workflow.parity import adversarial, parity_report

COLUMNS = (
    Column("size", "number", missing=("-200",)),
    Column("colour", "category"),
    Column("open", "boolean"),
    Column("seen", "time", format="%d/%m/%Y"),
    Column("note", "category", required=False),
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    rows = 300
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(10, 3, rows)),
            "colour": rng.choice(["red", "green", "1"], rows),
            "open": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 2, rows)),
            "seen": days.astype("datetime64[us]"),
            "note": rng.choice(["a", "b"], rows),
        }
    )
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def scorer(table):
    import lightgbm

    levels = {"colour": ["red", "green", "1"], "note": ["a", "b"]}
    features = [Feature("size", "size", "number"), Feature("open", "open", "number")]
    features += [Feature(name, name, "codes", {"levels": known}, categorical=True) for name, known in levels.items()]
    features += [Feature("month of seen", "seen", "part", {"part": "month"})]
    encoder = Encoder(tuple(features))
    matrix = encoder.encode(table.to_pandas())
    target = (np.nan_to_num(matrix[:, 0], nan=9) + matrix[:, 4] > 16).astype(int)
    data = lightgbm.Dataset(matrix, target, categorical_feature=encoder.categorical)
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    text = lightgbm.train(params, data, 20).model_to_string()
    return Scorer("binary", ("no", "yes"), COLUMNS, encoder, Boosters([text]))


async def within_a_loop(work):
    """Calls from where a notebook calls: inside a running event loop."""
    return work()


def test_every_way_answers_alike_on_rows_made_to_differ(home, table, scorer):
    tracking = Local(home=home)
    with tracking.start(RunSpec("toy", "sweep", "sweep")) as run:
        run.log([Model(scorer.files())])
    version = tracking.registry.register("toy", run.id, {})
    report = asyncio.run(within_a_loop(lambda: parity_report(scorer, tracking.registry.ways(version), table)))
    assert {r["path"] for r in report} == {"typed rows", "files", "pyfunc", "REST", "batches"}
    assert len({r["rows"] for r in report}) >= 10
    assert [r for r in report if r["error"] or r["ulps"] > 0] == []


def test_the_rows_are_odd_in_the_ways_they_say(table, scorer):
    frame = table.slice(0, 40).to_pandas().astype({"seen": object})
    made = adversarial(COLUMNS, frame)
    assert made["nulls"].iloc[-1].isna().all() and made["nulls"].isna().any().all()
    assert set(made["unseen categories"]["colour"]) == {"never seen before"}
    assert made["integers with nulls"]["size"].dtype == "Int64" and made["integers with nulls"]["size"].isna().any()
    assert list(made["reordered columns"]) == list(frame)[::-1]
    assert "note" not in made["optional columns left out"]
    assert made["odd characters"]["colour"].nunique() > 10


def test_a_way_that_answers_otherwise_or_not_at_all_is_found(table, scorer):
    def broken(frame):
        raise KeyError("colour")

    ways = {"wrong": lambda frame: scorer.score(frame) * (1 + 1e-9), "broken": broken, "short": lambda f: np.zeros(3)}
    report = {(r["path"], r["rows"]): r for r in parity_report(scorer, ways, table)}
    assert report["wrong", "plain"]["ulps"] > 1000
    assert "KeyError" in report["broken", "nulls"]["error"]
    assert "shape" in report["short", "plain"]["error"]


def test_numbers_beyond_whole_ones_are_asked_too():
    rows = adversarial([Column("size", "number")], pd.DataFrame({"size": [1e20, -1e99, 3.4]}))
    assert rows["integers"]["size"].tolist() == [2**62, -(2**62), 3]
