"""A row has one id, whichever way it came."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leaflab.identity import row_ids
from leaflab.scorer import BadTable, Column, typed
from leaflab.scorer.fast import Fast
from leaflab.serve.rowid import RowIds

COLUMNS = (
    Column("n", "number"),
    Column("flag", "boolean"),
    Column("town", "category", missing=("?",)),
    Column("when", "time"),
)
VALUES = {
    "n": [1, 1.5, None, -0.0, 0.0],
    "flag": [True, False, None, "yes", 0],
    "town": ["Rome", None, "?", "Öslo", "Rome"],
    "when": ["2013-01-01 05:00", None, "1969-12-31", "2013-01-01T05:00:00+02:00", "2013-01-01"],
}


def test_content_names_a_row_as_a_batch_does(toys):
    scorer = replace(toys.constant(), columns=COLUMNS)
    fast = Fast(replace(scorer, encoder=type(scorer.encoder)(())))
    ids = RowIds(scorer)(fast.typed(VALUES, 5), VALUES)
    assert ids == row_ids(typed(pd.DataFrame(VALUES), COLUMNS)).tolist()
    assert len(set(ids)) == 5
    one = {name: values[:1] for name, values in VALUES.items()}
    assert RowIds(scorer)(fast.typed(one, 1), one) == ids[:1]


def test_id_columns_name_it_where_a_request_has_them_all(toys):
    scorer = replace(toys.constant(), meta={"id": ["shop", "day"]})
    fast = Fast(scorer)
    values = {"a": [1, 2], "b": [None, None], "shop": ["x", "y"], "day": [3, None]}
    assert RowIds(scorer)(fast.typed(values, 2), values) == ["x|3", "y|None"]
    del values["day"]
    assert (
        RowIds(scorer)(fast.typed(values, 2), values)
        == row_ids(pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]})).tolist()
    )


def test_an_id_that_cannot_be_written_is_refused(toys):
    scorer = replace(toys.constant(), meta={"id": ["shop"]})
    values = {"a": [1], "b": [1], "shop": ["\ud800"]}
    with pytest.raises(BadTable, match="id columns 'shop'"):
        RowIds(scorer)(Fast(scorer).typed(values, 1), values)
