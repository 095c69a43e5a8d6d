"""Two tables side by side."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leaflab.identity import digest
from leaflab.prepare.difference import compare


def table(**changed):
    columns = {"row_id": [f"r{n}" for n in range(100)], "x": list(range(100)), "k": ["a", "b"] * 50}
    return pa.table({**columns, **changed})


def test_the_same_tables_are_the_same():
    found = compare(table(), pa.concat_tables([table().slice(0, 30), table().slice(30)]))
    assert found.same
    assert "cell for cell" in str(found)


def test_columns_gone_new_retyped_and_changed():
    before = table(old=[1] * 100)
    after = table(x=[float(n) + 50 for n in range(100)], new=[True] * 100)
    found = compare(before, after)
    assert found.gone == ("old",)
    assert found.new == ("new",)
    assert [(c.name, c.before, c.after) for c in found.changes] == [("x", "int64", "double")]
    assert found.changes[0].shift > 1
    old, fresh = digest(before).columns["x"], digest(after).columns["x"]
    assert f"column x (int64 → double) differs, digest {old[:12]} → {fresh[:12]}, shift" in str(found)


def test_rows_removed_added_and_changed_with_examples():
    before = table()
    after = table(row_id=[f"r{n}" for n in range(10, 110)], x=[*range(10, 109), 7], k=["a", "b"] * 50)
    found = compare(before, after.set_column(1, "x", pa.array([-1, *range(11, 110)])))
    assert (found.removed, found.added, found.changed) == (10, 10, 1)
    assert "r10: x 10 → -1" in str(found)
    assert "removed: {'row_id': 'r0'" in str(found)


def test_rows_without_ids_are_counted_by_content():
    one = pa.table({"x": [1, 1, 2, 3]})
    found = compare(one, pa.table({"x": [1, 2, 3, 4, 4]}))
    assert (found.removed, found.added, found.changed) == (1, 2, None)


@pytest.mark.parametrize("kind", ["cell", "null", "type", "order", "name"])
def test_any_change_is_seen(kind):
    before = table(v=np.linspace(0, 1, 100))
    values = np.linspace(0, 1, 100)
    made = {
        "cell": lambda: table(v=[*values[:-1], 0.5]),
        "null": lambda: table(v=[*values[:-1], None]),
        "type": lambda: table(v=[str(v) for v in values]),
        "order": lambda: before.take(list(range(99, -1, -1))),
        "name": lambda: before.rename_columns(["row_id", "x", "k", "w"]),
    }[kind]()
    assert not compare(before, made).same
