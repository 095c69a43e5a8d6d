"""Samples as matrices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leaflab.drift.matrix import _coded


@pytest.mark.parametrize(
    ("values", "known", "places"),
    [
        (["b", None, "a", "b", "new"], ["a", "b"], [1, np.nan, 0, 1, 2]),
        ([2.0, float("nan"), None, 1.5, 7.0], ["2", "1.5"], [0, np.nan, np.nan, 1, 2]),
        ([True, False, None], ["False", "True"], [1, 0, np.nan]),
        ([3, 1, None], ["1"], [1, 0, np.nan]),
        ([None, None], [], [np.nan, np.nan]),
    ],
)
def test_levels_become_places_whatever_they_were_stored_as(values, known, places):
    column = pa.chunked_array(
        [pa.array(values[:1], type=pa.array(values).type), values[1:]], type=pa.array(values).type
    )
    assert np.array_equal(_coded(column, known), places, equal_nan=True)
    if not pa.types.is_null(column.type):
        assert np.array_equal(_coded(column.dictionary_encode(), known), places, equal_nan=True)
