"""`leaflab predict` end to end, on a real store and lake."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaflab.errors import ConfigError, DataError, ModelError
from leaflab.executor.dask import Dask
from leaflab.serve import scoring
from leaflab.source.file import File
from leaflab.source.sql import Sql
from leaflab.workflow.predict import predict
from leaflab.workflow.settings import Predict

ROWS = pd.DataFrame({"x": [0.5, -1.0, None], "z": [1, 2, 3], "colour": ["red", "unseen", None], "key": ["b", "a", "c"]})


@pytest.fixture
def asked(bench):
    """A lab whose version 1 is champion: `asked(output="a.csv")`."""
    bench.train(alias="champion")
    ROWS.to_csv("new.csv", index=False)
    return lambda **keys: replace(bench.lab, verb="predict", **({"input": "new.csv"} | keys))


def test_one_row_an_input_row_in_input_order(asked, home):
    result = predict(asked(output="out.csv"))
    out = pd.read_csv("out.csv")
    expected = 1 / (1 + np.exp(-2 * np.array([0.5, -1.0, 0.0])))
    assert list(out.columns) == ["row_id", "prediction", "proba_no", "proba_yes"]
    assert np.allclose(out["proba_yes"], expected) and np.allclose(out["proba_no"], 1 - expected)
    assert out["prediction"].tolist() == ["yes", "no", "no"]
    assert result.rows == 3 and out["row_id"].nunique() == 3
    assert not list(home.glob(".*partial"))


@pytest.mark.parametrize("ending", ["parquet", "json", "jsonl"])
def test_the_same_answers_in_every_format(asked, ending):
    predict(asked(output="out.csv"))
    predict(asked(output=f"out.{ending}"))
    wanted = pd.read_csv("out.csv")
    if ending == "parquet":
        found = pd.read_parquet("out.parquet")
    else:
        found = pd.read_json(f"out.{ending}", lines=ending == "jsonl", dtype={"row_id": str})
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_without_output_the_lake_keeps_the_answers(asked):
    lab = asked()
    first, second = predict(lab), predict(lab)
    table = lab.lake.read("prediction/toy")
    assert table.num_rows == 6
    assert set(table["run_id"].to_pylist()) == {first.run_id, second.run_id}
    assert set(table["version"].to_pylist()) == {1}


def test_the_run_says_what_was_scored(asked):
    lab = asked(output="out.csv")
    run = lab.tracking.get(predict(lab).run_id)
    assert (run.status, run.tags["leaflab.verb"], run.tags["leaflab.version"]) == ("FINISHED", "predict", "1")
    assert run.metrics["rows/scored"] == 3


def test_a_version_by_number(asked, bench):
    bench.train(skill=0.0)
    result = predict(asked(output="out.csv", predict=Predict(version=2)))
    assert result.version.number == 2
    assert set(pd.read_csv("out.csv")["proba_yes"]) == {0.5}


def test_row_ids_are_those_of_the_dataset(bench):
    """Truth that arrives later joins on them, so content must name a row the same in training and in scoring."""
    dataset = bench.prepare(rows=50, seed=1, id=None)
    bench.train(dataset=dataset, alias="champion")
    wanted = {part: dataset.parts[part].to_pandas() for part in dataset.parts}
    frame = pd.concat(wanted.values()).drop(columns=["y"])
    frame.drop(columns=["row_id"]).to_csv("again.csv", index=False)
    predict(replace(bench.lab, input="again.csv", output="ids.csv"))
    assert pd.read_csv("ids.csv", dtype=str)["row_id"].tolist() == frame["row_id"].tolist()


def refused(kind, lab):
    with pytest.raises(kind) as caught:
        predict(lab)
    return str(caught.value)


def test_a_missing_column_is_named(asked, home):
    ROWS.drop(columns="z").to_csv("new.csv", index=False)
    assert "lacks the column 'z'" in refused(DataError, asked(output="out.csv"))
    assert not (home / "out.csv").exists()


def test_a_malformed_value_is_named_with_its_row(asked, home):
    ROWS.assign(z=["1", "2", "much"]).to_csv("new.csv", index=False)
    (home / "out.csv").write_text("before")
    assert (
        refused(DataError, asked(output="out.csv"))
        == "'new.csv', row 3: column 'z' must hold finite numbers, got 'much'."
    )
    assert (home / "out.csv").read_text() == "before"
    assert not list(home.glob(".*partial"))


def test_an_infinite_value_is_refused(asked):
    frame = ROWS.assign(z=[1.0, np.inf, 2.0])
    frame.to_parquet("new.parquet")
    assert "row 2: column 'z' must hold finite numbers, got inf" in refused(
        DataError, asked(input="new.parquet", output="o.csv")
    )


def test_no_champion_yet_says_what_to_run(bench):
    bench.train()
    ROWS.to_csv("new.csv", index=False)
    sentence = refused(ModelError, replace(bench.lab, input="new.csv", output="out.csv"))
    assert sentence == "'toy' has no champion yet: run `leaflab promote name=toy` first."


def test_no_model_at_all(bench):
    ROWS.to_csv("new.csv", index=False)
    assert "has no registered model yet" in refused(ModelError, replace(bench.lab, input="new.csv"))


@pytest.mark.parametrize("output", ["out.txt", "nowhere/out.csv"])
def test_an_output_that_cannot_be(asked, output):
    assert "`output` must" in refused(ConfigError, asked(output=output))


def test_an_input_must_be_named(asked):
    assert "`input` is not set" in refused(ConfigError, asked(input=None, source=File()))


def test_a_folder_a_lake_table_and_a_query_are_scored_like_a_file(asked, home):
    predict(asked(output="file.csv"))
    (home / "folder").mkdir()
    for place in range(3):
        ROWS.iloc[place : place + 1].to_parquet(home / "folder" / f"{place}.parquet")
    lab = asked(output="out.csv")
    lab.lake.write("raw/new", pa.Table.from_pandas(ROWS, preserve_index=False))
    lab.lake.write("raw/new", pa.Table.from_pandas(ROWS.iloc[:1], preserve_index=False))
    with closing(sqlite3.connect("new.db")) as base:
        ROWS.to_sql("new", base, index=False)
    wanted = (home / "file.csv").read_text()
    for keys in (
        {"input": "folder"},
        {"input": "raw/new@0"},
        {"input": None, "source": Sql(url="sqlite:///new.db", table="new")},
    ):
        assert predict(asked(output="out.csv", **keys)).rows == 3
        assert (home / "out.csv").read_text() == wanted
    assert predict(asked(output="out.csv", input="raw/new")).rows == 1


def test_a_column_that_turns_out_to_be_text_is_read_anew(asked, home):
    many = pd.concat([ROWS] * 10_000, ignore_index=True)
    many["colour"] = [*range(len(many) - 1), "red"]
    many.to_csv("new.csv", index=False)
    assert predict(asked(output="out.parquet")).rows == 30_000
    assert pq.read_table("out.parquet").num_rows == 30_000


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_answers_in_the_same_order(asked, home):
    many = pd.concat([ROWS] * 20_000, ignore_index=True)
    many["x"] = np.random.default_rng(0).normal(size=len(many))
    many.to_parquet(home / "many.parquet")
    predict(asked(input="many.parquet", output="here.parquet"))
    cluster = Dask(workers=2)
    assert predict(asked(input="many.parquet", output="there.parquet", executor=cluster)).rows == 60_000
    assert pq.read_table("there.parquet").equals(pq.read_table("here.parquet"))
    many["x"] = many["x"].astype(str)
    many.loc[50_000, "x"] = "much"
    many.to_parquet(home / "many.parquet")
    with pytest.raises(DataError, match=r"row 50,001: column 'x' must hold finite numbers, got 'much'"):
        predict(asked(input="many.parquet", output="bad.parquet", executor=cluster))
    assert not (home / "bad.parquet").exists()


KILLED = """
import os, sys
from leaflab.app import main
from leaflab.executor.dask import Dask
from leaflab.serve import scoring
from leaflab.workflow import predict as verb
verb._PART_ROWS = 100
real, seen = scoring.answered, []
def answered(scorer, batch):
    seen.append(batch.num_rows)
    if len(seen) > 6:
        os._exit(9)
    return real(scorer, batch)
scoring.answered = answered
main(["predict", "name=toy", "input=many", "output=out.csv"])
"""


def test_a_killed_scoring_goes_on_where_it_stood(asked, home, monkeypatch):
    (home / "many").mkdir()
    rng = np.random.default_rng(0)
    for place in range(12):
        frame = pd.DataFrame({"x": rng.normal(size=50), "z": rng.normal(size=50), "colour": ["red"] * 50})
        frame.to_parquet(home / "many" / f"{place:02}.parquet")
    predict(asked(input="many", output="whole.csv"))
    done = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    assert not (home / "out.csv").exists() and len(list(home.glob(".leaflab/predict/*/*.arrow"))) >= 1
    counted = []
    real = scoring.answered
    monkeypatch.setattr(scoring, "answered", lambda s, batch: counted.append(batch.num_rows) or real(s, batch))
    lab = asked(input="many", output="out.csv")
    result = predict(lab)
    assert result.rows == 600 and sum(counted) < 600
    assert (home / "out.csv").read_text() == (home / "whole.csv").read_text()
    assert not list(home.glob(".leaflab/predict/*"))
    runs = lab.tracking.search("toy", {"leaflab.verb": "predict"})
    assert [run.status for run in runs] == ["FINISHED"] * 2
