"""Payloads of every kind become rows, or a sentence that says why not."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from leaflab.lake.delta import Delta
from leaflab.source.feed import Feed
from leaflab.source.payload import Payload
from leaflab.source.spool import Message, Spool

ARRIVED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
WHEN = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def row(payload: bytes | str, **keys: Any) -> dict[str, Any]:
    data = payload.encode() if isinstance(payload, str) else payload
    return Payload(**keys).row(Message("plant/1/oven", data, ARRIVED.timestamp()))


def test_without_a_mapping_json_fields_are_columns() -> None:
    assert row('{"timestamp": "2020-01-02T03:04:05Z", "t": 21, "in": {"x": 1.5}, "on": true, "s": "a", "l": [1]}') == {
        "topic": "plant/1/oven",
        "timestamp": WHEN,
        "t": 21.0,
        "in.x": 1.5,
        "on": True,
        "s": "a",
        "l": "[1]",
    }


@pytest.mark.parametrize(
    "when",
    ["2020-01-02T03:04:05", "2020-01-02T04:04:05+01:00", 1577934245, 1577934245000, 1577934245000000, "1577934245"],
)
def test_times_in_every_spelling(when: Any) -> None:
    text = f'"{when}"' if isinstance(when, str) else str(when)
    assert row(f'{{"timestamp": {text}, "t": 1}}')["timestamp"] == WHEN


def test_a_message_without_a_time_counts_as_of_its_arrival() -> None:
    assert row("21.5") == {"topic": "plant/1/oven", "timestamp": ARRIVED, "value": 21.5}


def test_a_mapping_names_columns_parts_of_the_topic_and_units() -> None:
    keys = {
        "topic": "plant/{line}/{sensor}",
        "fields": {"temperature": {"path": "d.t", "unit": "°C", "scale": 0.1}, "state": {}},
        "time": "ts",
        "device": ["line", "sensor"],
    }
    assert row('{"ts": 1577934245, "d": {"t": 215}, "state": "ok", "noise": 1}', **keys) == {
        "topic": "plant/1/oven",
        "line": "1",
        "sensor": "oven",
        "ts": WHEN,
        "temperature": 21.5,
        "state": "ok",
    }
    assert Payload(**keys).units == {"temperature": "°C"}
    assert Payload().is_open
    assert not Payload(**keys).is_open


def test_csv() -> None:
    found = row("2020-01-02T03:04:05, 21 ,on,", format="csv", columns=["timestamp", "t", "state", "none"])
    assert found == {"topic": "plant/1/oven", "timestamp": WHEN, "t": 21.0, "state": "on", "none": None}


@pytest.mark.parametrize(
    ("payload", "keys", "words"),
    [
        (b"", {}, "is empty"),
        (b"\xff\xfe", {}, "is not UTF-8 text"),
        ("{", {}, "is not JSON"),
        ('{"t": NaN}', {}, "is not JSON (NaN is no number)"),
        ("[1]", {}, "is no JSON object"),
        ("21", {"format": "json"}, "is no JSON object"),
        ('{"t": 1}', {"format": "number"}, "is no number"),
        ('{"timestamp": "yesterday"}', {}, "has 'yesterday' where a time must be"),
        ('{"timestamp": 1e300}', {}, "where a time must be"),
        ("1,2", {"format": "csv", "columns": ["a"]}, "has 2 values where the mapping names 1 columns"),
        ('{"t": 1}', {"topic": "other/{x}"}, "has a topic that does not fit other/{x}"),
        ('{"u": 1}', {"fields": {"t": {}}}, "holds none of the fields t"),
        ('{"t": "hot"}', {"fields": {"t": {"scale": 2.0}}}, "has 'hot' for 't', which must be a number"),
        ('{"timestamp": "9999-12-31T23:59:59-14:00"}', {}, "holds what cannot be kept (date value out of range)"),
        ('{"timestamp": "0001-01-01T00:00:00+14:00"}', {}, "holds what cannot be kept"),
        ("[" * 100_000, {}, "holds what cannot be kept (maximum recursion depth exceeded"),
        ('{"a":' * 5000 + "1" + "}" * 5000, {}, "holds what cannot be kept"),
        (r'{"t": "\ud800"}', {}, "holds what cannot be kept ('utf-8' codec can't encode"),
        (r'{"t": ["\ud800"]}', {}, "holds what cannot be kept"),
        (r'{"\ud800": 1}', {}, "holds what cannot be kept"),
        ('{"t": 1e999}', {}, "is not JSON (inf is no number)"),
        (f'{{"t": {"9" * 1000}}}', {}, "holds what cannot be kept (int too large to convert to float)"),
    ],
)
def test_what_is_no_row_says_why(payload: bytes | str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        row(payload, **keys)


def test_a_field_does_not_pose_as_the_topic() -> None:
    assert row('{"topic": "plant/2", "t": 1}') == {
        "topic": "plant/1/oven",
        "timestamp": ARRIVED,
        "topic_2": "plant/2",
        "t": 1.0,
    }


@pytest.mark.parametrize(
    "payload",
    ['{"Id": 1, "id": 2}', '{"T": 1}', '{"Topic": "x"}', '{"timestamp": 1, "TIMESTAMP": 2}', r'{"s": "\ud800"}'],
)
def test_no_message_keeps_those_after_it_from_the_lake(tmp_path: Path, payload: str) -> None:
    spool, lake = Spool(tmp_path / "spool"), Delta(path=str(tmp_path / "lake"))
    good = '{"timestamp": 1, "t": 1}', '{"timestamp": 2, "t": 2}'
    spool.append([Message("plant/1", text.encode(), 1e9) for text in (good[0], payload, good[1])])
    drawn = Feed(spool, Payload(), {}, {}, (), grow=True).draw(10)
    spool.close()
    assert [bad.line for bad in drawn.bad] == [2]
    lake.write("raw/t", drawn.rows, mode="append", new_columns="add")
    assert lake.read("raw/t").column("t").to_pylist() == [1.0, 2.0]
