"""Labels that arrive late, are corrected, and meet their predictions by row id."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from leaflab.lake.delta import Delta
from leaflab.serve.asked import Refusal
from leaflab.serve.truth import joined, labels_from, record_truth


@pytest.fixture
def lake(tmp_path):
    made = Delta(path=str(tmp_path))
    made.write("inference/toy", pa.table({"row_id": ["a", "b", "c"], "prediction": ["yes", "no", "no"]}))
    return made


def test_the_last_label_counts(lake):
    record_truth(lake, "toy", ["a", "b", "z"], ["no", "no", "yes"])
    record_truth(lake, "toy", ["a"], ["yes"])
    rows = {row["row_id"]: row["truth"] for row in joined(lake, "toy").to_pylist()}
    assert rows == {"a": "yes", "b": "no"}
    assert lake.read("truth/toy").num_rows == 4


def test_no_truth_yet_is_an_empty_table(lake):
    table = joined(lake, "toy")
    assert table.num_rows == 0 and {"row_id", "prediction", "truth", "truth_time"} == set(table.column_names)


def test_labels_of_every_type_read_as_text(lake):
    record_truth(lake, "toy", ["a", "b", "c", "d"], [1, 2.0, True, 0.5])
    assert lake.read("truth/toy")["truth"].to_pylist() == ["1", "2", "True", "0.5"]


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        (b"{", 400, ()),
        (b"[]", 422, ("rows",)),
        ({"rows": []}, 422, ("rows",)),
        ({"rows": [{"row_id": 1, "truth": 1}]}, 422, ("rows[0].row_id",)),
        ({"rows": [{"row_id": "a", "truth": 1}, {"row_id": "b", "truth": None}]}, 422, ("rows[1].truth",)),
        ({"rows": [{"row_id": "\ud800", "truth": 1}]}, 422, ("rows[0]",)),
        ({"rows": [{"row_id": "a", "truth": 1}] * 11}, 413, ("rows",)),
    ],
)
def test_a_bad_body_names_its_field(body, status, fields):
    with pytest.raises(Refusal) as caught:
        labels_from(body if isinstance(body, bytes) else json.dumps(body).encode(), 10)
    assert (caught.value.status, caught.value.fields) == (status, fields)
