"""A stream of batches gives the same dataset as the table in memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.default import Default
from leaflab.prepare.spill import Spill
from leaflab.prepare.streaming import Streaming
from leaflab.split.random import Random
from leaflab.split.time import Time
from leaflab.values import PARTS, Roles


def raw(rows=3000):
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "price": [f"{v:.1f}".replace(".", ",") for v in rng.normal(50, 9, rows)],
            "kind": rng.choice([" red", "green ", "?", "Blue"], rows),
            "when": [
                f"2024-{m:02d}-{d:02d}"
                for m, d in zip(rng.integers(1, 12, rows), rng.integers(1, 28, rows), strict=True)
            ],
            "n": pa.array(rng.normal(size=rows), mask=rng.random(rows) < 0.1),
            "same": ["k"] * rows,
            "y": pa.array(rng.choice(["yes", "no"], rows), mask=np.arange(rows) % 100 == 0),
        }
    )
    return pa.concat_tables([table, table.slice(100, 50)])


def streamed(table, folder, split, batch=700, **options):
    roles = Roles(target="y", time="when")
    with Spill(folder) as spill:
        run = Streaming(lambda: table.to_batches(max_chunksize=batch), roles, Default(near=0, **options), spill)
        return run.run(split, 0)


@pytest.mark.parametrize("split", [Random(), Time()])
def test_the_parts_are_those_of_memory(tmp_path, split):
    table = raw()
    done = streamed(table, tmp_path, split)
    whole = Default(near=0).clean(table, Roles(target="y", time="when"))
    codes = split.assign(whole, 0)
    for code, part in enumerate(PARTS):
        expected = whole.table.filter(pa.array(codes == code))
        assert done.parts[part].select(expected.column_names).cast(expected.schema).equals(expected)
    assert done.prepared.columns == whole.columns
    assert done.prepared.facts["duplicates"] == whole.facts["duplicates"] == 49
    assert done.prepared.facts["quarantined"] == whole.facts["quarantined"]
    assert [q.line for q in done.prepared.quarantine] == [q.line for q in whole.quarantine]
    assert list(tmp_path.iterdir()) == []


def test_how_the_rows_were_cut_does_not_matter(tmp_path):
    one, other = (streamed(raw(), tmp_path, Random(), batch=size) for size in (100, 5000))
    assert all(one.parts[part].equals(other.parts[part]) for part in PARTS)


def test_checks_and_limits_hold(tmp_path):
    done = streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"le": 2.0}}})
    assert done.prepared.facts["quarantined"]["n.le"] > 10
    with pytest.raises(DataError, match="at most 20%"):
        streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"le": 0.0}}})
    with pytest.raises(ConfigError, match="needs the whole table"):
        streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"unique": True}}})
    assert list(tmp_path.iterdir()) == []
