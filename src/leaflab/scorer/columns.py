"""Row-wise rules: how one raw column becomes one typed column, the same in training and in serving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

__all__ = ["BadTable", "Column", "Kind", "parse", "typed"]

Kind = Literal["number", "boolean", "category", "time", "text"]

TRUE = ("true", "t", "yes", "y", "on", "1")
FALSE = ("false", "f", "no", "n", "off", "0")


class BadTable(ValueError):
    """A raw table that cannot be typed.

    Args:
        rule: what is wrong, without a full stop.
        columns: the columns it is about.
        row: place of the row whose value breaks the rule, from 0; None where columns are missing.
    """

    def __init__(self, rule: str, columns: tuple[str, ...], row: int | None = None) -> None:
        super().__init__(rule if row is None else f"{rule} in row {row}")
        self.rule, self.columns, self.row = rule, columns, row


@dataclass(frozen=True)
class Column:
    """One input column and the rules that type it.

    Args:
        name: the column's name in the raw table.
        kind: `number` (float64), `boolean` (0.0, 1.0), `category` or `text` (str), `time` (datetime64[us], UTC where
            the text carries an offset); a missing value is NaN or NaT in all of them.
        missing: texts, compared after stripping and without regard to case, that mean "no value"; those that read as
            numbers also match numerically ("-200" matches -200.0).
        strip: whether white space around texts is dropped.
        decimal: the decimal mark of numbers written as text.
        thousands: the thousands separator of numbers written as text; empty for none.
        scale: factor that brings a number to its unit (a rule of units).
        format: strptime format of times written as text, or "ISO8601"; empty to read whatever pandas recognises.
        dayfirst: whether `03/04/2004` is the third of April.
        replace: spelling variants of a category, mapped to the one kept ({"paris": "Paris"}).
        words: words that mean true and false beyond the usual ones ({"ja": true}).
        required: whether a table without this column is refused; an optional one counts as missing.
    """

    name: str
    kind: Kind
    missing: tuple[str, ...] = ()
    strip: bool = True
    decimal: str = "."
    thousands: str = ""
    scale: float = 1.0
    format: str = ""
    dayfirst: bool = False
    replace: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, bool] = field(default_factory=dict)
    required: bool = True

    def to_json(self) -> dict[str, Any]:
        """The column as plain JSON; defaults are left out, so that a reader sees only what was decided."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        default = {f.name: getattr(Column("", "number"), f.name) for f in fields(self)}
        kept = {k: v for k, v in plain.items() if k in ("name", "kind") or v != default[k]}
        return {
            k: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, Mapping) else v for k, v in kept.items()
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Column:
        return cls(**{**plain, "missing": tuple(plain.get("missing", ()))})


def typed(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The typed frame of a raw one: rules applied, extra columns dropped, optional columns filled with nulls.

    Names that are not text are read as text, as in training.

    Raises:
        BadTable: a required column is missing, a column is there twice, or a value cannot be read under its column's
            rule; they are named.
    """
    columns = list(columns)
    if frame.columns.inferred_type != "string":
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.columns.is_unique:
        twice = tuple(c.name for c in columns if list(frame.columns).count(c.name) > 1)
        if twice:
            raise BadTable(f"two columns are named {', '.join(repr(t) for t in twice)}", twice)
    absent = [c.name for c in columns if c.required and c.name not in frame.columns]
    if absent:
        plural = "s" if len(absent) > 1 else ""
        raise BadTable(f"missing column{plural}: {', '.join(repr(a) for a in absent)}", tuple(absent))
    result: dict[str, pd.Series[Any]] = {}
    for column in columns:
        raw = frame[column.name] if column.name in frame.columns else pd.Series(np.nan, index=frame.index)
        values, bad = parse(raw, column)
        if bad.any():
            at = int(np.argmax(bad))
            what = f"column {column.name!r} must hold {_NOUN[column.kind]}"
            raise BadTable(f"{what}, got {_plain(raw.iloc[at])!r}", (column.name,), at)
        result[column.name] = values
    return pd.DataFrame(result, index=frame.index)


def _plain(value: Any) -> Any:
    """A value as people write it (`inf`, not `np.float64(inf)`)."""
    return value.item() if isinstance(value, np.generic) else value


def parse(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], np.ndarray]:
    """One raw column, typed, and a mask of the rows whose value cannot be read under the rule (typed as missing)."""
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(raw.cat.categories.dtype if len(raw.cat.categories) else object)
    values, bad = _PARSERS[column.kind](raw, column)
    return values, np.asarray(bad, dtype=bool)


def _parse_number(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], Any]:
    kind = raw.dtype.kind
    if kind in "mM":
        return pd.Series(np.nan, index=raw.index), raw.notna()
    if kind != "c" and (pd.api.types.is_numeric_dtype(raw) or pd.api.types.is_bool_dtype(raw)):
        values = raw.to_numpy("float64", na_value=np.nan)
        present = ~np.isnan(values)
    else:
        text, gone = _text(raw, column)
        if column.thousands:
            text = text.str.replace(column.thousands, "", regex=False)
        if column.decimal != ".":
            text = text.str.replace(column.decimal, ".", regex=False)
        values = pd.to_numeric(text.mask(gone), errors="coerce").to_numpy("float64")
        present = ~gone.to_numpy()
    for marker in _numeric_markers(column):
        hit = values == marker
        values, present = np.where(hit, np.nan, values), present & ~hit
    bad = present & ~np.isfinite(values)
    values = np.where(bad, np.nan, values) if bad.any() else values
    return pd.Series(values * column.scale if column.scale != 1.0 else values, index=raw.index), bad


def _parse_boolean(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], Any]:
    if pd.api.types.is_bool_dtype(raw) and not pd.api.types.is_object_dtype(raw):
        return pd.Series(raw.to_numpy(dtype="float64", na_value=np.nan), index=raw.index), np.zeros(len(raw), bool)
    text, gone = _text(raw, column)
    words = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}
    words |= {w.casefold(): float(v) for w, v in column.words.items()}
    values = text.str.casefold().map(words).astype("float64").mask(gone)
    return values, ~gone & values.isna()


def _parse_category(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], Any]:
    text, gone = _text(raw, column)
    if column.replace:
        text = text.map(lambda value: column.replace.get(value, value), na_action="ignore")
    return text.mask(gone).astype("str"), np.zeros(len(raw), bool)


def _parse_time(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], Any]:
    if pd.api.types.is_datetime64_any_dtype(raw):
        values, gone = raw, raw.isna()
    elif pd.api.types.is_numeric_dtype(raw) and not column.format:
        return pd.Series(pd.NaT, index=raw.index).astype("datetime64[us]"), raw.notna()
    else:
        text, gone = _text(raw, column)
        how: dict[str, Any] = (
            {"format": column.format} if column.format else {"format": "mixed", "dayfirst": column.dayfirst}
        )
        values = pd.to_datetime(text.mask(gone), errors="coerce", utc=True, **how)
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    values = values.astype("datetime64[us]")
    return values, ~gone & values.isna()


def _as_words(raw: pd.Series[Any]) -> pd.Series[Any]:
    """Texts of a column of any type; 1.0 reads "1", so that an integer column with nulls keeps its categories."""
    if isinstance(raw.dtype, pd.StringDtype):
        return raw
    try:
        codes, distinct = pd.factorize(raw)
    except TypeError:  # lists and mappings: words that nobody has seen
        return raw.map(_word, na_action="ignore")
    words = np.array([*(_word(value) for value in distinct), None], dtype=object)
    return pd.Series(words[codes], index=raw.index)


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _text(raw: pd.Series[Any], column: Column) -> tuple[pd.Series[Any], pd.Series[Any]]:
    text = _as_words(raw).astype("str")
    if column.strip:
        text = text.str.strip()
    markers = {m.strip().casefold() for m in column.missing} | {""}
    return text, text.isna() | text.str.casefold().isin(markers)


def _numeric_markers(column: Column) -> list[float]:
    markers = []
    for text in column.missing:
        try:
            markers.append(float(text))
        except ValueError:
            continue
    return [m for m in markers if not np.isnan(m)]


_PARSERS = {
    "number": _parse_number,
    "boolean": _parse_boolean,
    "category": _parse_category,
    "text": _parse_category,
    "time": _parse_time,
}
_NOUN = {
    "number": "finite numbers",
    "boolean": "true or false",
    "category": "text",
    "text": "text",
    "time": "dates or times",
}
