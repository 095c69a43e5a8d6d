"""Answers as a table."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from leaflab.serve.answers import answer_schema, answered


@pytest.mark.parametrize(
    ("classes", "kind", "label"),
    [
        ((0, 1), pa.int64(), 1),
        ((False, True), pa.bool_(), True),
        (("a", "b"), pa.string(), "b"),
        ((0.5, 1.5), pa.float64(), 1.5),
    ],
)
def test_labels_keep_their_type(toys, classes, kind, label):
    scorer = replace(toys.constant(0.9), classes=classes)
    answer = answered(scorer, toys.RAW.to_batches()[0])
    assert answer.schema.equals(answer_schema(scorer))
    assert answer.schema.field("prediction").type == kind
    assert answer["prediction"].to_pylist() == [label] * 4
    assert answer.schema.names == ["row_id", "prediction", *(f"proba_{c}" for c in classes)]


def test_regression_answers_values(toys):
    from leaflab.scorer.predictor import Constant

    scorer = replace(toys.constant(), task="regression", classes=(), predictor=Constant((3.5,)))
    answer = answered(scorer, toys.RAW.to_batches()[0])
    assert answer.schema.names == ["row_id", "prediction"]
    assert answer["prediction"].to_pylist() == [3.5] * 4


def test_id_columns_name_rows_as_the_dataset_does(toys):
    scorer = replace(toys.constant(), meta={"id": ["shop", "day"]})
    table = toys.RAW.append_column("day", pa.array([1, 2, 3, None])).append_column("shop", pa.array(["x"] * 4))
    assert answered(scorer, table.to_batches()[0])["row_id"].to_pylist() == ["x|1", "x|2", "x|3", "x|None"]


def test_without_its_id_columns_a_row_is_named_by_content(toys):
    named = answered(replace(toys.constant(), meta={"id": ["shop"]}), toys.RAW.to_batches()[0])["row_id"].to_pylist()
    plain = answered(toys.constant(), toys.RAW.select(["b", "a"]).to_batches()[0])["row_id"].to_pylist()
    assert named == plain and len(set(named)) == 4
