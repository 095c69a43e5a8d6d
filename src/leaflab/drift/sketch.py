"""A column in little: counts on a fixed grid, exact for every row, whatever the number of rows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.drift.base import Kind

__all__ = ["BINS", "MAX_LEVELS", "Sketch", "grid", "levels_of", "numbers_of"]

BINS = 1024
MAX_LEVELS = 100_000


@dataclass
class Sketch:
    """Counts of one column; two sketches on the same grid can be compared.

    A number's grid are cut points: bin 0 holds the values below the reference's lowest, the last one those above its
    highest, bin i the values in (edges[i-1], edges[i]]. Each bin is exact; only the place of a value inside its bin is
    lost, so a distance between distribution functions is short by at most `error`.

    Args:
        kind: "number" or "time" (microseconds) counts on the grid, "level" counts texts.
        edges: increasing cut points, shape (bins - 1,); empty for levels.
        rows, nulls, bad: rows seen, missing ones, and those that cannot be read as their kind.
        counts: rows a bin, shape (bins,).
        inside: rows between two cut points and on neither, shape (bins - 1,).
        levels: rows a level; no new ones are kept beyond 100,000 (`full`).
        low, high, total, squares: extremes, sum and sum of squares of the values.
    """

    kind: Kind
    edges: np.ndarray = field(default_factory=lambda: np.empty(0))
    rows: int = 0
    nulls: int = 0
    bad: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype="int64"))
    inside: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype="int64"))
    levels: Counter[str] = field(default_factory=Counter)
    full: bool = False
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def like(cls, other: Sketch) -> Sketch:
        """An empty sketch on the same grid."""
        return cls.on(other.edges, other.kind)

    @classmethod
    def on(cls, edges: np.ndarray, kind: Kind = "number") -> Sketch:
        """An empty sketch on a grid."""
        zeros = np.zeros(len(edges) + 1, dtype="int64")
        return cls(kind, edges, counts=zeros, inside=zeros[:-1].copy())

    @property
    def present(self) -> int:
        return self.rows - self.nulls - self.bad

    @property
    def mean(self) -> float:
        return self.total / self.present if self.present else float("nan")

    @property
    def deviation(self) -> float:
        if not self.present:
            return float("nan")
        return float(np.sqrt(max(0.0, self.squares / self.present - self.mean**2)))

    @property
    def error(self) -> float:
        """By how much a distance between distribution functions may be too short: the most values inside one bin."""
        return float(self.inside.max(initial=0) / self.present) if self.present else 0.0

    def update(self, array: pa.Array[Any]) -> None:
        """Takes the next rows."""
        self.rows += len(array)
        if self.kind == "level":
            self._count_levels(array)
            return
        values, nulls, bad = numbers_of(array, self.kind)
        self.nulls += nulls
        self.bad += bad
        if not len(values):
            return
        values = np.sort(values)
        below = np.searchsorted(values, self.edges, side="right")
        self.counts += np.diff(np.r_[0, below, len(values)])
        self.inside[1:] += np.searchsorted(values, self.edges[1:]) - below[:-1]
        self.low, self.high = min(self.low, float(values[0])), max(self.high, float(values[-1]))
        self.total += float(values.sum())
        self.squares += float(np.square(values).sum())

    def _count_levels(self, array: pa.Array[Any]) -> None:
        found, nulls = levels_of(array)
        self.nulls += nulls
        if len(self.levels) + len(found) > MAX_LEVELS:
            known = {level: count for level, count in found.items() if level in self.levels}
            self.full = self.full or len(known) < len(found)
            found = known if len(self.levels) >= MAX_LEVELS else found
        self.levels.update(found)


def numbers_of(array: pa.Array[Any], kind: Kind) -> tuple[np.ndarray, int, int]:
    """Finite values of an Arrow array as float64, the number of missing ones, and of those that are no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        import pandas as pd

        given = array.null_count
        values = pd.to_numeric(array.drop_null().to_pandas(), errors="coerce").to_numpy("float64")
        finite = values[np.isfinite(values)]
        return finite, given, len(values) - len(finite)
    if kind == "time" or pa.types.is_temporal(array.type):
        if not pa.types.is_temporal(array.type):
            return np.empty(0), array.null_count, len(array) - array.null_count
        stamps = array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False)
        return stamps.drop_null().cast(pa.int64()).to_numpy().astype("float64"), array.null_count, 0
    nulls = array.null_count
    kept = array.drop_null() if nulls else array
    values = pc.cast(kept, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    gone = np.isnan(values)
    values = values[~gone] if gone.any() else values
    odd = np.isinf(values)
    nulls += int(gone.sum())
    return (values[~odd], nulls, int(odd.sum())) if odd.any() else (values, nulls, 0)


def levels_of(array: pa.Array[Any]) -> tuple[dict[str, int], int]:
    """Rows a level, as texts, and the number of missing ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    counted = pc.value_counts(array)
    found: dict[str, int] = {}
    nulls = 0
    for value, count in zip(counted.field(0).to_pylist(), counted.field(1).to_numpy().tolist(), strict=True):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            nulls += count
            continue
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        found[text] = found.get(text, 0) + count
    return found, nulls


def grid(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Cut points from a sample: every distinct value if they are few, else quantiles with heavy values set apart."""
    distinct = np.unique(values)
    if len(distinct) > BINS:
        ranks = np.linspace(0, len(values) - 1, BINS + 1).round().astype(np.intp)
        cuts = np.sort(values)[ranks]
        heavy = cuts[1:][np.diff(cuts) == 0]
        distinct = np.unique(np.r_[cuts, np.nextafter(heavy, -np.inf)])
    if not np.isfinite(low):
        return distinct
    return np.unique(np.r_[np.nextafter(low, -np.inf), distinct, high])
