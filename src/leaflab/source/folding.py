"""Python values of unknown types as Arrow columns of one type each."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leaflab.source.format import wider

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["batch_of", "flat", "type_of"]

_INT64 = 2**63


def type_of(values: Iterable[Any]) -> pa.DataType:
    """The narrowest type that holds every value: a boolean, integer, float, time, else text."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "missing": pa.null(),
        "bool": pa.bool_(),
        "int": pa.int64(),
        "float": pa.float64(),
        "time": pa.timestamp("us"),
        "instant": pa.timestamp("us", "UTC"),
        "bytes": pa.binary(),
        "text": pa.string(),
    }
    found: pa.DataType = pa.null()
    for kind in {_kind(value) for value in values}:
        found = wider(found, types[kind])
    return found


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "text"
    if isinstance(value, float):
        return "float"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, dt.datetime):
        return "instant" if value.tzinfo else "time"
    return "time" if isinstance(value, dt.date) else "text"


def batch_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as one batch; a key that a row lacks is a missing value.

    Raises:
        ValueError: a value does not fit its column's type.
    """
    import pyarrow as pa

    arrays = [pa.array(_fitted([row.get(f.name) for row in rows], f.type), f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fitted(values: list[Any], kind: pa.DataType) -> list[Any]:
    """Values as a column of this type takes them."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return [_text(value) for value in values]
    if wider(type_of(values), kind) != kind:
        odd = next(value for value in values if wider(type_of([value]), kind) != kind)
        raise ValueError(f"{odd!r} in a column of {kind}")
    if pa.types.is_timestamp(kind):
        return [dt.datetime(v.year, v.month, v.day) if type(v) is dt.date else v for v in values]
    return values


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as columns `outer.inner`; lists stay, and become JSON text.

    >>> flat({"id": 1, "at": {"x": 2, "y": {"z": 3}}, "tags": ["a"]})
    {'id': 1, 'at.x': 2, 'at.y.z': 3, 'tags': ['a']}
    """
    out: dict[str, Any] = {}
    for key, value in row.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return out
