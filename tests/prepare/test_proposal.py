"""Proposals: found and counted, printed as YAML that works, applied to nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from leaflab.prepare.default import Default
from leaflab.values import Raw, Roles


def text_of(raw, target="y", **options):
    return Default(**options).proposal(Raw("t", 0, "", lambda: raw), Roles(target=target))


def proposed(raw, target="y"):
    return yaml.safe_load(text_of(raw, target, propose=True))["prepare"]["rules"]


def test_sentinels_and_words_are_proposed_with_counts():
    rows = 200
    raw = pa.table(
        {
            "temp": [-200.0 if n % 20 == 0 else 10 + n / 10 for n in range(rows)],
            "days": [-1 if n % 4 == 0 else n for n in range(rows)],
            "size": [0.0 if n % 50 == 0 else 5 + n % 9 for n in range(rows)],
            "honest": [n % 30 - 3 for n in range(rows)],
            "where, exactly": [["Unknown", "north", "south"][n % 3] for n in range(rows)],
            "y": [n % 2 for n in range(rows)],
        }
    )
    assert proposed(raw) == {
        "temp": {"missing": [-200]},
        "days": {"missing": [-1]},
        "size": {"missing": [0]},
        "where, exactly": {"missing": ["Unknown"]},
    }
    text = text_of(raw, propose=True)
    assert text.startswith("# @package _global_\n"), "so that it is an experiment as it stands"
    assert "# -200: 10 rows" in text
    assert "# Unknown: 67 rows" in text


def test_what_is_proposed_can_be_passed_back():
    raw = pa.table({"x": [-200.0 if n % 20 == 0 else n / 10 for n in range(100)], "y": [n % 2 for n in range(100)]})
    prepared = Default(rules=proposed(raw)).clean(raw, Roles(target="y"))
    assert prepared.table["x"].null_count == 1
    assert text_of(raw) == ""


def test_a_clean_table_needs_no_rule():
    raw = pa.table({"x": [float(n) for n in range(100)], "y": [n % 2 for n in range(100)]})
    assert proposed(raw) == {}


def test_air_quality_and_diamonds(shared_data):
    air = proposed(pq.read_table(shared_data / "air_quality_uci.parquet"), "CO(GT)")
    assert len(air) == 13
    assert all(rule == {"missing": [-200]} for rule in air.values())
    stones = proposed(pq.read_table(shared_data / "diamonds.parquet"), "price")
    assert stones == {axis: {"missing": [0]} for axis in "xyz"}
