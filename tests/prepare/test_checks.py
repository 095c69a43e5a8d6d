"""Validation: rows that fail go to quarantine under the rule they broke."""

from __future__ import annotations

import pyarrow as pa
import pytest
import yaml

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.checks import inferred
from leaflab.prepare.default import Default
from leaflab.values import Dataset, Roles


def raw(rows=100):
    return pa.table(
        {
            "age": [200 if n == 3 else n % 80 for n in range(rows)],
            "code": ["abc" if n == 5 else f"X{n % 10}" for n in range(rows)],
            "nr": [f"n{n if n != 9 else 8}" for n in range(rows)],
            "start": [float(n) for n in range(rows)],
            "end": [float(n - 1 if n == 7 else n + 1) for n in range(rows)],
            "t": [f"2020-01-{n % 28 + 1:02d}" for n in range(rows)],
            "y": [n % 2 for n in range(rows)],
        }
    )


def clean(checks, table=None, limit=0.2, **roles):
    return Default(checks=checks, limit=limit).clean(table or raw(), Roles(target="y", **roles))


def test_rows_that_fail_are_set_aside_by_rule():
    columns = {"age": {"ge": 0, "le": 120}, "code": {"regex": r"X\d"}, "nr": {"unique": True}, "y": {"isin": [0, 1]}}
    prepared = clean({"columns": columns, "relations": ["start <= end"]}, id="nr")
    expected = {"age.le": 1, "code.matches": 1, "nr.unique": 2, "start.le.end": 1}
    assert prepared.facts["quarantined"] == expected
    assert {q.line: q.rule for q in prepared.quarantine} == {
        3: "age.le",
        5: "code.matches",
        8: "nr.unique",
        9: "nr.unique",
        7: "start.le.end",
    }
    assert prepared.table.num_rows == 95


def test_warn_keeps_the_rows_and_stop_stops():
    checks = {"columns": {"age": {"le": 120}}}
    prepared = clean({**checks, "on_fail": "warn"})
    assert prepared.table.num_rows == 100
    assert any("age.le" in note for note in prepared.notes)
    with pytest.raises(DataError, match=r"must satisfy prepare\.checks"):
        clean({**checks, "on_fail": "stop"})


def test_a_broken_feed_is_refused():
    with pytest.raises(DataError, match="at most 20%"):
        clean({"columns": {"age": {"le": 10}}})


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"columns": {"nope": {"ge": 1}}}, "must name a column"),
        ({"columns": {"age": {"ge": 5, "le": 1}}}, "contradict"),
        ({"columns": {"age": {"gt": 5, "le": 5}}}, "contradict"),
        ({"columns": {"code": {"isin": ["a"], "notin": ["a"]}}}, "contradict"),
        ({"columns": {"age": {"above": 5}}}, "knows only"),
        ({"columns": {"code": {"ge": 5}}}, "can judge"),
        ({"relations": ["start before end"]}, "must read like"),
        ({"relations": ["start <= nope"]}, "must name columns"),
        ({"rows": [1000, None]}, "1000 to any number of rows"),
        ({"max_age": "7 days"}, "needs a time column"),
        ({"schema": "nowhere.yaml"}, "must be a YAML file"),
    ],
)
def test_rules_that_cannot_be_are_one_sentence(checks, words):
    with pytest.raises((ConfigError, DataError), match=words):
        clean(checks)


def test_an_old_table_is_refused():
    with pytest.raises(DataError, match="must not end more than"):
        clean({"max_age": "7 days"}, time="t")


def test_a_schema_is_inferred_from_train_and_pinned(tmp_path):
    table = raw()
    prepared = clean({}, table)
    train = prepared.table.slice(20, 60)
    dataset = Dataset("d", prepared.task, prepared.roles, prepared.classes, prepared.columns, {"train": train}, {})
    rules = inferred(dataset)
    assert rules["start"] == {"not_null": True, "ge": 20.0, "le": 79.0}
    assert rules["code"]["isin"] == [f"X{n}" for n in range(10)]
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({"start": rules["start"], "code": rules["code"]}))
    pinned = clean({"schema": str(tmp_path / "schema.yaml")}, table, limit=0.5)
    assert pinned.facts["quarantined"] == {"start.ge": 19, "start.le": 20, "code.isin": 1}


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"columns": {"code": {"regex": "(X"}}}, "must be a regular expression"),
        ({"columns": {"code": {"isin": "abc"}}}, "must be a list of values"),
        ({"relations": ["age <= code"]}, "must compare columns of one kind"),
        ({"max_age": "seven"}, "must read like '7 days'"),
    ],
)
def test_rules_that_cannot_be_asked_are_one_sentence(checks, words):
    with pytest.raises(ConfigError, match=words):
        clean(checks, time="t")
