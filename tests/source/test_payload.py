"""Payloads of every kind become rows, or a sentence that says why not."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from leaflab.source.payload import Payload
from leaflab.source.spool import Message

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
    ],
)
def test_what_is_no_row_says_why(payload: bytes | str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        row(payload, **keys)
