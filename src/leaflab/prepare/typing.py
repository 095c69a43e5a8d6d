"""Raw columns to typed ones, by the same `scorer.parse` that serving runs; texts are parsed once a distinct value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.kinds import Found, find_text
from leaflab.scorer.columns import Column, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ARROW",
    "TypedColumn",
    "arrow_array",
    "encoded",
    "find_rule",
    "is_text",
    "plain_array",
    "refuse_infinite",
    "type_column",
]

Rules = Mapping[str, Mapping[str, Any]]

_FITTING: Mapping[str, Any] = {
    "scale": (int, float),
    "strip": bool,
    "dayfirst": bool,
    "required": bool,
    "replace": Mapping,
    "words": Mapping,
}
_LARGEST = 1e100
_RULE_KEYS = tuple(f.name for f in fields(Column) if f.name != "name")


@dataclass(frozen=True)
class TypedColumn:
    """One column, typed.

    Args:
        column: the rule that typed it.
        values: float64, timestamp[us] or string, shape (rows,), missing as null.
        bad: rows whose value the rule cannot read, shape (rows,); typed as null.
        distinct: number of distinct values, a null counting as one.
        notes: sentences for the user.
        markers: texts read as missing and how often each occurs.
    """

    column: Column
    values: pa.Array[Any]
    bad: NDArray[np.bool_]
    distinct: int
    notes: tuple[str, ...] = ()
    markers: Mapping[str, int] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return self.values.null_count == len(self.values)


def arrow_array(values: pd.Series[Any], kind: pa.DataType | None = None) -> pa.Array[Any]:
    """A pandas column as one Arrow array, missing as null."""
    made: Any = pa.array(values, from_pandas=True, type=kind)
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def type_column(name: str, raw: pa.ChunkedArray[Any], missing: Sequence[str], rules: Rules) -> TypedColumn:
    """Finds the rule of a raw column, unless `rules` gives it, and applies it.

    Raises:
        DataError: a type that no rule reads (nested, binary, duration), or an infinite value.
        ConfigError: a rule with an unknown key or value.
    """
    array = plain_array(name, raw)
    codes, distinct = encoded(array)
    counts = np.bincount(np.arange(len(distinct)) if codes is None else codes[codes >= 0], minlength=len(distinct))
    found = find_rule(name, array.type, distinct, counts, missing, rules)
    values, bad = parse(distinct, found.column)
    refuse_infinite(name, distinct, values, bad)
    typed = arrow_array(values, ARROW[found.column.kind])
    taken = typed if codes is None else typed.take(pa.array(codes, mask=codes < 0))
    rows_bad = bad if codes is None else np.append(bad, False)[codes]
    seen = len(pc.unique(typed)) + int(taken.null_count > 0 and typed.null_count == 0)
    return TypedColumn(found.column, taken, rows_bad, seen, found.notes, found.markers)


ARROW: dict[str, Any] = {
    "number": pa.float64(),
    "boolean": pa.float64(),
    "category": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us"),
}


def plain_array(name: str, raw: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """One array without dictionaries or decimals.

    Raises:
        DataError: a type that no rule reads.
    """
    kind = raw.type
    if pa.types.is_dictionary(kind):
        raw = raw.cast(kind.value_type)
    elif pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        raw = raw.cast(pa.float64())
    kind = raw.type
    fine = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or is_text(kind)
    )
    if not fine:
        hint = f"leave it out with dataset.drop=[{name}], or unfold it into plain columns first"
        raise DataError(f"column {name!r}", "must hold numbers, texts, dates or truth values", got=str(kind), hint=hint)
    return raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds texts, with a dictionary or without."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def encoded(array: pa.Array[Any]) -> tuple[NDArray[np.int64] | None, pd.Series[Any]]:
    """Codes (-1 for null) and the distinct values they point to; numbers and times stand for themselves, codes None."""
    if is_text(array.type):
        encoded = (array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype("int64")
        return codes, pd.Series(encoded.dictionary.to_pandas(), dtype="str")
    if pa.types.is_null(array.type):
        return np.full(len(array), -1), pd.Series([], dtype="str")
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"))
    return None, array.to_pandas()


def find_rule(
    name: str,
    kind: pa.DataType,
    distinct: pd.Series[Any],
    counts: np.ndarray,
    missing: Sequence[str],
    rules: Rules,
) -> Found:
    """The rule of a column of this Arrow type, from its distinct texts where it holds texts.

    Raises:
        DataError: it holds numbers and words, and no rule says which is meant.
        ConfigError: a rule with an unknown key or value.
    """
    found = _find(name, kind, distinct, counts, tuple(missing))
    if name not in rules:
        if found.mixed:
            hint = f"say what it is: prepare.rules={{{name}: {{kind: number}}}} (or category), or dataset.drop=[{name}]"
            raise DataError(f"column {name!r}", f"must hold values of one kind, not {found.mixed}", hint=hint)
        return found
    return Found(_overruled(found.column, rules[name]), markers=found.markers)


def _find(
    name: str, kind: pa.DataType, distinct: pd.Series[Any], counts: np.ndarray, missing: tuple[str, ...]
) -> Found:
    if is_text(kind) or pa.types.is_null(kind):
        return find_text(name, distinct, counts, missing)
    if pa.types.is_boolean(kind):
        return Found(Column(name, "boolean", missing=missing))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Found(Column(name, "time", missing=missing))
    return Found(Column(name, "number", missing=missing))


def _overruled(found: Column, rule: Mapping[str, Any]) -> Column:
    key = f"`prepare.rules.{found.name}`"
    unknown = [k for k in rule if k not in _RULE_KEYS]
    if unknown:
        raise ConfigError(key, f"knows only {', '.join(_RULE_KEYS)}", got=unknown[0])
    if rule.get("kind", "number") not in ARROW:
        raise ConfigError(key, f"must have one of the kinds {', '.join(ARROW)}", got=rule["kind"])
    given = dict(rule)
    for word, value in given.items():
        if word != "missing" and not isinstance(value, _FITTING.get(word, str)):
            raise ConfigError(f"{key[:-1]}.{word}`", "has a value of another kind", got=value)
    _check_format(key, str(given.get("format", "")))
    if "missing" in given:
        listed = given["missing"] if isinstance(given["missing"], list | tuple) else [given["missing"]]
        given["missing"] = tuple(dict.fromkeys((*found.missing, *(str(m) for m in listed))))
    return replace(found, **given)


def _check_format(key: str, format: str) -> None:
    if not format:
        return
    try:
        pd.to_datetime(pd.Series(["1"], dtype="str"), format=format, errors="coerce")
    except ValueError as error:
        raise ConfigError(f"{key[:-1]}.format`", f"must be a strptime format ({error})", got=format) from error


def refuse_infinite(name: str, raw: pd.Series[Any], values: pd.Series[Any], bad: np.ndarray) -> None:
    """Raises a DataError where a number is infinite, or so large that sums of squares are: only a person knows why.

    Args:
        name: the column.
        raw, values: its values before and after typing, shape (values,).
        bad: those that could not be read, shape (values,).
    """
    if raw.dtype.kind == "f" and bad.any() and np.isinf(raw[bad].to_numpy()).any():
        count = int(np.isinf(raw.to_numpy()).sum())
        hint = f"say that they mean missing: prepare.rules={{{name}: {{missing: [inf, -inf]}}}}"
        raise DataError(f"column {name!r}", f"must hold finite numbers; {count} are infinite", hint=hint)
    if values.dtype.kind != "f":
        return
    large = np.abs(values.to_numpy()) > _LARGEST
    if large.any():
        seen = str(raw[large].iloc[0])
        hint = f"say that it means missing: prepare.rules={{{name}: {{missing: [{seen}]}}}}"
        raise DataError(f"column {name!r}", f"must hold numbers up to {_LARGEST:g}", got=seen, hint=hint)
