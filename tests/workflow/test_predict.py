"""`leaflab predict` end to end, on a real store and lake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leaflab.errors import ConfigError, DataError, ModelError
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
    assert "`input` is not set" in refused(ConfigError, asked(input=None))
