"""From a message to a row: what is in the payload, what is in the topic, and when it happened."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import re
from dataclasses import field
from functools import cached_property
from typing import Any, Literal

from leaflab.option import option
from leaflab.source.folding import flat
from leaflab.source.spool import Message

__all__ = ["Field", "Payload", "Row"]

Row = dict[str, Any]
_MILLI, _MICRO, _NANO = 1e11, 1e14, 1e17  # from these on a number counts as milli-, micro-, nanoseconds


@option
class Field:
    """One column of a mapping.

    Args:
        path: where its value stands in a JSON payload (`data.temp`); null for the column's own name.
        unit: what it is measured in, kept with the table.
        scale: factor that brings the value to the unit.
    """

    path: str | None = None
    unit: str | None = None
    scale: float = 1.0


@option
class Payload:
    """How messages become rows; with none of it set every JSON field is a column.

    Args:
        format: of payloads; "auto" tells JSON objects from single numbers.
        topic: a pattern whose parts in braces become columns (`plant/{line}/{sensor}`).
        fields: columns and where they come from; empty takes every field.
        columns: names of the values of a CSV payload, in order.
        time: the field that holds the time of the event; a message without one counts as of its arrival.
        device: the columns that tell devices apart.
    """

    format: Literal["auto", "json", "csv", "number"] = "auto"
    topic: str | None = None
    fields: dict[str, Field] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    time: str = "timestamp"
    device: list[str] = field(default_factory=lambda: ["topic"])

    @property
    def units(self) -> dict[str, str]:
        return {name: f.unit for name, f in self.fields.items() if f.unit}

    @property
    def is_open(self) -> bool:
        """Whether the payloads themselves say which columns there are."""
        return not self.fields and self.format in ("auto", "json")

    def row(self, message: Message) -> Row:
        """The row of a message: `topic`, the parts of the topic, the time in UTC, numbers as floats.

        Raises:
            ValueError: the payload or the topic is not what the mapping says, or a value cannot be kept.
        """
        try:
            row = self._row(message)
            if b"\\u" in message.payload:  # half a character can only be written so
                json.dumps(row, ensure_ascii=False, default=str).encode()
        except (OverflowError, RecursionError, UnicodeEncodeError) as error:
            raise ValueError(f"holds what cannot be kept ({error})") from error
        return row

    def _row(self, message: Message) -> Row:
        found = self._values(message.payload)
        when = found.pop(self.time, None)
        row: Row = {"topic": message.topic, **self._parts(message.topic)}
        row[self.time] = _time(when) if when is not None else dt.datetime.fromtimestamp(message.arrived, dt.UTC)
        if not self.fields:
            return row | {f"{n}_2" if n in row else n: _plain(value, 1.0, n) for n, value in found.items()}
        for name, rule in self.fields.items():
            row[name] = _plain(found.get(rule.path or name), rule.scale, name)
        if all(row[name] is None for name in self.fields):
            raise ValueError(f"holds none of the fields {', '.join(self.fields)}")
        return row

    def _values(self, payload: bytes) -> Row:
        try:
            text = payload.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError("is not UTF-8 text") from error
        if not text:
            raise ValueError("is empty")
        if self.format == "csv":
            values = next(csv.reader([text]))
            if len(values) != len(self.columns):
                raise ValueError(f"has {len(values)} values where the mapping names {len(self.columns)} columns")
            return {n: _number_or_text(v) for n, v in zip(self.columns, values, strict=True)}
        try:
            value = json.loads(text, parse_constant=_refuse)
        except ValueError as error:
            raise ValueError(f"is not JSON ({error})") from error
        if isinstance(value, dict) and self.format != "number":
            return flat(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and self.format != "json":
            return {"value": value}
        raise ValueError(f"is no {'number' if self.format == 'number' else 'JSON object'}")

    def _parts(self, topic: str) -> dict[str, str]:
        if self._pattern is None:
            return {}
        match = self._pattern.fullmatch(topic)
        if match is None:
            raise ValueError(f"has a topic that does not fit {self.topic}")
        return match.groupdict()

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if self.topic is None:
            return None
        escaped = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.topic))
        return re.compile(escaped.replace(r"\+", "[^/]+").replace(r"\#", ".*").replace("#", ".*"))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"is not JSON ({number} is no number)")
    return number


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _number_or_text(value: str) -> Any:
    value = value.strip()
    try:
        number = float(value)
    except ValueError:
        return value or None
    return number if math.isfinite(number) else None


def _plain(value: Any, scale: float, name: str) -> Any:
    """A field's value: numbers as floats, whatever their spelling, so that 21 and 21.5 are one column."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _finite(float(value) * scale)
    if scale != 1.0:
        raise ValueError(f"has {value!r} for {name!r}, which must be a number")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _time(value: Any) -> dt.datetime:
    """A time of a payload: ISO 8601 (UTC where it has no zone), or a count of (milli-, micro-, nano-) seconds."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                when = dt.datetime.fromisoformat(value)
            except ValueError as error:
                raise ValueError(f"has {value!r} where a time must be") from error
            return when.astimezone(dt.UTC) if when.tzinfo else when.replace(tzinfo=dt.UTC)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"has {value!r} where a time must be")
    for bound, unit in ((_NANO, 1e9), (_MICRO, 1e6), (_MILLI, 1e3)):
        if abs(value) >= bound:
            value = value / unit
            break
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"has {value!r} where a time must be") from error
