"""The short way to the same answers: plain Python values in, no pandas, one booster call a row.

A value is typed on its own. Numbers, truth values and nulls are read directly; a text is read by the very rule of the
batch path, once, and remembered, so that the two ways cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .columns import _NOUN, BadTable, Column, _numeric_markers, _word, parse
from .fastencoder import NEVER, REMEMBERED, FastEncoder
from .score import Scorer
from .single import RowByRow

__all__ = ["Fast", "Typed"]

_PLAIN = {int, float, bool, type(None)}
_ROW_BY_ROW = 8

Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Typed:
    """Typed rows.

    Args:
        rows: how many.
        numbers: numbers and truth values, float64, shape (columns of these kinds, rows), missing as NaN.
        others: texts as lists of str or None, times as int64 microseconds since 1970 (the least int64 for none).
    """

    rows: int
    numbers: np.ndarray
    others: Mapping[str, Any]


class Fast:
    """A scorer for small requests; safe to share between threads.

    Args:
        scorer: the model; `Fast(scorer).score(…)` is bit for bit `scorer.score(…)` of the same rows.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.numeric = [c for c in scorer.columns if c.kind in ("number", "boolean")]
        self._place = {c.name: i for i, c in enumerate(self.numeric)}
        self._others = [c for c in scorer.columns if c.kind not in ("number", "boolean")]
        self._required = [c.name for c in scorer.columns if c.required]
        numbers = [(i, _numeric_markers(c), c.scale) for i, c in enumerate(self.numeric) if c.kind == "number"]
        self._rules = {i: (markers, scale) for i, markers, scale in numbers if markers or scale != 1.0}
        self._booleans = len(numbers) < len(self.numeric)
        self._memos: dict[str, dict[str, Any]] = {c.name: {} for c in scorer.columns}
        self._encoder = FastEncoder(scorer.encoder, self._place)
        self._rows = RowByRow(scorer.predictor, len(scorer.encoder.features))

    def typed(self, values: Values, rows: int) -> Typed:
        """Types raw values, column name to one value a row.

        Raises:
            BadTable: a required column is missing, or a value cannot be read under its column's rule.
        """
        absent = [name for name in self._required if name not in values]
        if absent:
            plural = "s" if len(absent) > 1 else ""
            raise BadTable(f"missing column{plural}: {', '.join(map(repr, absent))}", tuple(absent))
        nothing = [None] * rows
        numbers = self._numbers([values.get(c.name, nothing) for c in self.numeric], rows)
        others: dict[str, Any] = {c.name: self._read(c, values.get(c.name, nothing)) for c in self._others}
        for c in self._others:
            if c.kind == "time":
                others[c.name] = np.array([NEVER if v is None else v for v in others[c.name]], dtype="int64")
        return Typed(rows, numbers, others)

    def _numbers(self, raw: list[Sequence[Any]], rows: int) -> np.ndarray:
        if not raw:
            return np.empty((0, rows))
        read: dict[int, list[Any]] = {}
        if self._booleans or not set(map(type, chain.from_iterable(raw))) <= _PLAIN:
            odd = [i for i, column in enumerate(raw) if not self._is_plain(self.numeric[i], column)]
            read = {i: self._read(self.numeric[i], raw[i]) for i in odd}
            raw = [read.get(i, column) for i, column in enumerate(raw)]
        try:
            block = np.array(raw, dtype="float64")
        except OverflowError:
            block = np.array([[_float(v) for v in column] for column in raw], dtype="float64")
        for i, (markers, scale) in self._rules.items():
            if i not in read:  # the rule has seen to it
                block[i][np.isin(block[i], markers)] = np.nan
                block[i] *= scale
        if np.isinf(block).any():
            at = np.argwhere(np.isinf(block))[0]
            raise _refusal(self.numeric[at[0]], raw[at[0]][at[1]], int(at[1]))
        return block

    def _is_plain(self, column: Column, values: Sequence[Any]) -> bool:
        kinds = set(map(type, values))
        return kinds <= (_PLAIN if column.kind == "number" else {bool, type(None)})

    def _read(self, column: Column, values: Sequence[Any]) -> list[Any]:
        """Values by their column's rule: float, str or microseconds; None where one is missing."""
        memo = self._memos[column.name]
        markers, scale = self._rules.get(self._place.get(column.name, -1), ([], 1.0))
        words = [_as_word(column, value, row) for row, value in enumerate(values)]
        if markers or scale != 1.0:
            words = [w if type(w) is str else np.nan if w is None or w in markers else w * scale for w in words]
        unknown = dict.fromkeys(w for w in words if type(w) is str and w not in memo)
        if unknown:
            if len(memo) > REMEMBERED:
                self._memos[column.name] = memo = {}
                unknown = dict.fromkeys(w for w in words if type(w) is str)
            known, bad = _parsed(list(unknown), column)
            if bad:
                row = next(row for row, word in enumerate(words) if word in bad)
                raise _refusal(column, values[row], row)
            memo.update(known)
        return [memo[w] if type(w) is str else w for w in words]

    def matrix(self, typed: Typed) -> np.ndarray:
        """The matrix the predictor reads: float64, shape (rows, features)."""
        return self._encoder.encode(typed)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Probabilities, shape (rows, classes), or values, shape (rows,)."""
        if len(matrix) <= _ROW_BY_ROW and self._rows.ready:
            return self._rows.predict(matrix)
        return self.scorer.predictor.predict(matrix)

    def score(self, values: Values, rows: int) -> np.ndarray:
        """Probabilities or values of raw values."""
        return self.predict(self.matrix(self.typed(values, rows)))


def _as_word(column: Column, value: Any, row: int) -> Any:
    """What the rule reads: None, a number or truth value that needs no reading, or a text."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind not in _PLAIN:
        raise _refusal(column, value, row)
    if kind is float and np.isnan(value):
        return None
    if kind is bool and column.kind in ("number", "boolean"):
        return float(value)
    if column.kind == "number":
        return _float(value)
    if column.kind == "time" and not column.format:
        raise _refusal(column, value, row)
    return _word(value)


def _parsed(words: list[str], column: Column) -> tuple[dict[str, Any], set[str]]:
    """Texts read by the batch path's rule, and those it cannot read."""
    import pandas as pd

    garbled = {word for word in words if not _is_unicode(word)}
    words = [word for word in words if word not in garbled] if garbled else words
    values, bad = parse(pd.Series(words, dtype="str"), column)
    gone = values.isna().to_numpy()
    if column.kind == "time":
        plain = values.to_numpy().astype("datetime64[us]").view("int64").tolist()
    else:
        plain = values.tolist()
    if column.kind not in ("number", "boolean"):
        plain = [None if g else v for v, g in zip(plain, gone, strict=True)]
    return dict(zip(words, plain, strict=True)), garbled | {w for w, b in zip(words, bad, strict=True) if b}


def _is_unicode(word: str) -> bool:
    """Whether a text can be written; JSON can spell halves of characters, which cannot."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _float(value: Any) -> float:
    try:
        return np.nan if value is None else float(value)
    except OverflowError:
        return np.inf


def _refusal(column: Column, value: Any, row: int) -> BadTable:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return BadTable(f"column {column.name!r} must hold {_NOUN[column.kind]}, got {shown}", (column.name,), row)
