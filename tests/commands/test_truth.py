"""`leaflab truth`: labels meet predictions."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from leaflab.app import main
from leaflab.serve.truth import joined
from leaflab.workflow.predict import predict

ROWS = pd.DataFrame({"x": [0.5, -1.0, 2.0], "z": [1, 2, 3], "colour": ["red", "green", "blue"]})


@pytest.fixture
def predicted(bench):
    """Three predictions in the lake; their row ids."""
    bench.train(alias="champion")
    ROWS.to_csv("new.csv", index=False)
    lab = replace(bench.lab, verb="predict", input="new.csv")
    predict(lab)
    return lab, lab.lake.read("prediction/toy")["row_id"].to_pylist()


def told(capsys, *words):
    code = main(["truth", *words])
    out = capsys.readouterr()
    return code, out.out + out.err


def test_labels_join_by_row_id_and_may_be_corrected(predicted, capsys):
    lab, ids = predicted
    pd.DataFrame({"row_id": [*ids[:2], "unknown"], "truth": ["no", "no", "yes"]}).to_csv("labels.csv", index=False)
    assert told(capsys, "toy", "labels.csv") == (
        0,
        "truth/toy: 3 labels added, 2 of them for rows that were predicted.\n",
    )
    pd.DataFrame({"row_id": ids[:1], "label": ["yes"]}).to_parquet("late.parquet")
    assert told(capsys, "toy", "late.parquet")[0] == 0
    rows = {row["row_id"]: row["truth"] for row in joined(lab.lake, "toy", "prediction").to_pylist()}
    assert rows == {ids[0]: "yes", ids[1]: "no"}


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"truth": ["yes"]}, "'labels.csv' has no column 'row_id': predictions carry it."),
        ({"row_id": ["a"]}, "'labels.csv' has no column 'truth' that holds the labels."),
        ({"row_id": ["a"], "truth": [None]}, "has no row with both an id and a label in 'truth'."),
    ],
)
def test_a_file_that_cannot_be_joined_is_refused(predicted, capsys, frame, said):
    pd.DataFrame(frame).to_csv("labels.csv", index=False)
    code, text = told(capsys, "toy", "labels.csv")
    assert code == 2 and said in text


def test_a_file_that_is_not_there(predicted, capsys):
    code, text = told(capsys, "toy", "absent.csv")
    assert code == 2 and "'absent.csv' does not exist" in text
