"""The encoder for small requests: plain lookups and arithmetic, the encoder's own operations for all the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .encoder import GROUPS, OPS, PAIRS, Encoder, Feature, word_counts
from .fastpairs import FastGroups, FastPairs

if TYPE_CHECKING:
    from .fast import Typed

__all__ = ["NEVER", "REMEMBERED", "FastEncoder"]

NEVER = np.iinfo("int64").min
REMEMBERED = 1 << 16

_ON_NUMBERS = ("number", "scaled", "missing")
_CLOCK = {"hour": (3_600_000_000, 24), "minute": (60_000_000, 60), "second": (1_000_000, 60)}


class FastEncoder:
    """Turns typed rows into the matrix that `Encoder.encode` makes of them, bit for bit.

    An operation of one column depends on that column's value alone, so what it makes of a text is remembered.

    Args:
        encoder: the model's encoder.
        place: name of a number or truth value to its row in `Typed.numbers`.
    """

    def __init__(self, encoder: Encoder, place: Mapping[str, int]) -> None:
        self._place, self._width = place, len(encoder.features)
        self._to: list[int] = []
        self._from: list[int] = []
        self._derived: list[tuple[int, Feature]] = []
        self._pairs, self._groups = FastPairs(place), FastGroups()
        self._words: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        for j, feature in enumerate(encoder.features):
            if feature.op == "number" and feature.column in place:
                self._to.append(j)
                self._from.append(place[feature.column])
            elif feature.op == "word":
                to, buckets = self._words.setdefault((feature.column, feature.state["of"]), ([], []))
                to.append(j)
                buckets.append(feature.state["bucket"])
            elif feature.op in PAIRS:
                self._pairs.add(j, feature)
            elif feature.op in GROUPS:
                self._groups.add(j, feature)
            else:
                self._derived.append((j, feature))
        self.memos: dict[Any, dict[str | None, Any]] = {}

    def encode(self, typed: Typed) -> np.ndarray:
        """The matrix: float64, shape (rows, features), missing as NaN."""
        matrix = np.empty((typed.rows, self._width))
        if self._to:
            matrix[:, self._to] = typed.numbers[self._from].T
        for j, feature in self._derived:
            matrix[:, j] = self._feature(j, feature, typed)
        for (column, size), (to, buckets) in self._words.items():
            counts = self._remembered((column, size), typed.others[column], partial(word_counts, buckets=size))
            matrix[:, to] = np.array(counts)[:, buckets]
        self._pairs.fill(matrix, typed.numbers)
        self._groups.fill(matrix)
        return matrix

    def _feature(self, j: int, feature: Feature, typed: Typed) -> Any:
        operation = OPS[feature.op]
        if feature.column in self._place:
            numbers = typed.numbers[self._place[feature.column]]
            return operation(_numbers(numbers, feature.op), feature.state)
        values = typed.others[feature.column]
        if isinstance(values, np.ndarray):
            return _of_time(values, feature)
        return self._remembered(j, values, lambda texts: operation(texts, feature.state))

    def _remembered(self, key: Any, texts: Sequence[str | None], make: Callable[[Any], np.ndarray]) -> list[Any]:
        """What an operation makes of each text; it is asked for those it has not seen."""
        memo = self.memos.setdefault(key, {})
        unknown = dict.fromkeys(text for text in texts if text not in memo)
        if unknown:
            import pandas as pd

            if len(memo) > REMEMBERED:
                memo = self.memos[key] = {}
                unknown = dict.fromkeys(texts)
            found = make(pd.Series(list(unknown), dtype="str"))
            memo.update(zip(unknown, found, strict=True))
        return [memo[text] for text in texts]


class _Numbers:
    """As much of a pandas column as the operations on numbers ask for."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def to_numpy(self, dtype: Any = None, na_value: Any = None) -> np.ndarray:
        return self._values if dtype is None else self._values.astype(dtype, copy=False)

    def isna(self) -> _Numbers:
        return _Numbers(np.isnan(self._values))


def _numbers(values: np.ndarray, op: str) -> Any:
    if op in _ON_NUMBERS:
        return _Numbers(values)
    import pandas as pd

    return pd.Series(values)


def _of_time(micros: np.ndarray, feature: Feature) -> np.ndarray:
    """A feature of times; the common parts by arithmetic."""
    gone = micros == NEVER
    part = feature.state.get("part", "") if feature.op == "part" else ""
    if part == "epoch_days":
        found = micros / 86_400e6
    elif part == "dayofweek":
        found = (micros // 86_400_000_000 + 3) % 7
    elif part in _CLOCK:
        unit, cycle = _CLOCK[part]
        found = micros // unit % cycle
    elif part == "month":
        found = micros.view("datetime64[us]").astype("datetime64[M]").view("int64") % 12 + 1
    else:
        import pandas as pd

        return OPS[feature.op](pd.Series(micros.view("datetime64[us]")), feature.state)
    return np.where(gone, np.nan, found)
