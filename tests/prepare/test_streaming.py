"""A stream of batches gives the same dataset as the table in memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.default import Default
from leaflab.prepare.spill import Spill
from leaflab.prepare.streaming import Streaming
from leaflab.split.column import Column
from leaflab.split.random import Random
from leaflab.split.shares import settled
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


def streamed(table, folder, split, batch=700, roles=None, **options):
    roles = roles or Roles(target="y", time="when")
    with Spill(folder) as spill:
        run = Streaming(lambda: table.to_batches(max_chunksize=batch), roles, Default(**options), spill)
        return run.run(lambda prepared: (prepared, split.assign(prepared, 0)), split.aside)


@pytest.mark.parametrize("split", [Random(), Time()])
def test_the_parts_are_those_of_memory(tmp_path, split):
    table = raw()
    prepared, parts = streamed(table, tmp_path, split)
    whole = Default().clean(table, Roles(target="y", time="when"))
    codes = split.assign(whole, 0)
    for code, part in enumerate(PARTS):
        expected = whole.table.filter(pa.array(codes == code))
        assert parts[part].select(expected.column_names).cast(expected.schema).equals(expected)
    assert prepared.columns == whole.columns
    assert prepared.facts["duplicates"] == whole.facts["duplicates"] == 49
    assert prepared.facts["quarantined"] == whole.facts["quarantined"]
    assert [q.line for q in prepared.quarantine] == [q.line for q in whole.quarantine]
    assert list(tmp_path.iterdir()) == []


def test_how_the_rows_were_cut_does_not_matter(tmp_path):
    one, other = (streamed(raw(), tmp_path, Random(), batch=size)[1] for size in (100, 5000))
    assert all(one[part].equals(other[part]) for part in PARTS)


def test_checks_and_limits_hold(tmp_path):
    prepared, _ = streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"le": 2.0}}})
    assert prepared.facts["quarantined"]["n.le"] > 10
    with pytest.raises(DataError, match="at most 20%"):
        streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"le": 0.0}}})
    with pytest.raises(ConfigError, match="needs the whole table"):
        streamed(raw(), tmp_path, Random(), checks={"columns": {"n": {"unique": True}}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("role", "values", "words"),
    [
        ("weight", [-1.0, 2.0], "'c' must not hold negative numbers, got -1.0"),
        ("weight", [0.0, 0.0], "'c' must hold a number above 0"),
        ("weight", ["heavy", "light"], "'c' must hold numbers, got 'category'"),
        ("time", ["soon", "late"], "'c' must hold dates, times or numbers, got 'soon'"),
        ("time", [True, False], "'c' must hold dates, times or numbers, got True"),
        ("time", [None, None], "'c' must hold dates, times or numbers, got None"),
    ],
)
def test_a_column_that_cannot_have_its_role_is_refused_as_in_memory(tmp_path, role, values, words):
    table = raw(300).append_column("c", pa.array(values * 175))
    roles = Roles(target="y", **{role: "c"})
    with pytest.raises(DataError, match=words):
        Default().clean(table, roles)
    with pytest.raises(DataError, match=words):
        streamed(table, tmp_path, Random(), roles=roles)


@pytest.mark.parametrize("values", [[1.7e308, 1.0], ["1.7e308", "1.0"]])
def test_numbers_without_end_are_refused_as_in_memory(tmp_path, values):
    table = raw(300).append_column("c", pa.array(values * 175))
    with pytest.raises(DataError, match=r"'c' must hold numbers up to 1e\+100, got "):
        streamed(table, tmp_path, Random())


def test_texts_without_end_are_judged_by_those_seen_first(tmp_path, monkeypatch):
    monkeypatch.setattr("leaflab.prepare.survey._MOST", 500)
    monkeypatch.setattr("leaflab.prepare.survey._WAITING", 1000)
    rng = np.random.default_rng(0)
    table = raw().append_column("long", pa.array([f"{v:.6f}" if v > -2 else "?" for v in rng.normal(size=3050)]))
    prepared, parts = streamed(table, tmp_path, Random())
    whole = Default().clean(table, Roles(target="y", time="when"))
    assert prepared.columns == whole.columns
    assert next(c.kind for c in prepared.columns if c.name == "long") == "number"
    expected = whole.table.filter(pa.array(Random().assign(whole, 0) == 0))
    assert parts["train"].select(expected.column_names).equals(expected)


@pytest.mark.parametrize("roles", [{}, {"id": ["nr", "site"]}, {"group": "site"}, {"time": "when"}])
def test_what_repeats_is_found_as_in_memory(tmp_path, roles):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 3))
    x = np.vstack([x, x[:200] + 1e-6, x[200:230]])
    rows, of = len(x), [*range(900), *range(200), *range(200, 230)]
    table = pa.table(
        {f"x{n}": x[:, n] for n in range(3)}
        | {
            "nr": np.arange(rows) // 2,
            "site": [f"s{n % 37}" for n in of],
            "when": np.arange(rows) * 3.5,
            "part": ["train", "valid", "test"] * (rows // 3) + ["test"] * (rows % 3),
            "y": rng.choice(["a", "b"], rows),
        }
    )
    roles = Roles(target="y", drop=[n for n in ("nr", "when") if n not in str(roles)], **roles)
    split = Time() if roles.time else Column(column="part")
    options = Default(key={"columns": ["nr"] if roles.group else [], "keep": "first"})
    memory = options.clean(table, roles, split.aside)
    codes, apart = settled(split.assign(memory, 0), memory)
    assert len(apart) or roles.group
    with Spill(tmp_path) as spill:
        stream = Streaming(lambda: table.to_batches(max_chunksize=250), roles, options, spill)
        prepared, parts = stream.run(lambda p: (p, settled(split.assign(p, 0), p)[0]), split.aside)
    for code, part in enumerate(PARTS):
        assert parts[part].equals(memory.table.filter(pa.array(codes == code)).select(parts[part].column_names))
    assert prepared.facts == memory.facts
    assert np.array_equal(prepared.lines, memory.lines)
    assert list(prepared.texts(prepared.lines[5:9])) == list(memory.texts(memory.lines[5:9]))


def test_rows_of_few_values_are_kept_and_told_apart(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table(
        {"c": rng.choice(["1", "2", "3"], 900), "s": rng.choice(["m", "f"], 900), "y": rng.random(900) > 0.5}
    )
    with Spill(tmp_path) as spill:
        stream = Streaming(table.to_batches, Roles(target="y"), Default(), spill)
        _, parts = stream.run(lambda p: (p, Random().assign(p, 0)))
    memory = Default().clean(table, Roles(target="y"))
    codes = Random().assign(memory, 0)
    for code, part in enumerate(PARTS):
        assert parts[part].equals(memory.table.filter(pa.array(codes == code)))
