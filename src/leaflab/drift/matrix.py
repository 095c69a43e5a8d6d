"""Samples of two profiles as matrices, for the tests that look at all columns together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.drift.base import Finding

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.drift.base import Pair

__all__ = ["codes", "not_enough", "scaled"]

_SHOWN = 8


def codes(pair: Pair) -> tuple[np.ndarray, np.ndarray, list[str], list[int]]:
    """Numbers as they are, levels as codes by frequency; both matrices, the columns' names and which hold codes."""
    ours, theirs = [], []
    names: list[str] = []
    levels: list[int] = []
    for name, sketch in pair.reference.columns.items():
        if name not in pair.current.columns or sketch.kind == "time":
            continue
        sides = [p.sample.column(name) for p in (pair.reference, pair.current)]
        if sketch.kind == "level":
            known = _most_common(sketch.levels + pair.current.columns[name].levels)
            levels.append(len(names))
            a, b = (_coded(side, known) for side in sides)
        else:
            a, b = (_floats(side) for side in sides)
        ours.append(a)
        theirs.append(b)
        names.append(name)
    if not names:
        return np.empty((pair.reference.sample.num_rows, 0)), np.empty((pair.current.sample.num_rows, 0)), [], []
    return np.column_stack(ours), np.column_stack(theirs), names, levels


def scaled(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Standardised by the reference and clipped at five deviations; levels one-hot, missing values as the mean."""
    ours, theirs, _, levels = codes(pair)
    left, right = [], []
    for i in range(ours.shape[1]):
        a, b = ours[:, i], theirs[:, i]
        if i in levels:
            shown = np.arange(min(_SHOWN, int(np.nanmax(np.r_[a, b, 0.0])) + 1))
            a, b = (np.asarray(side[:, None] == shown, dtype="float64") for side in (a, b))
        else:
            a, b = a[:, None], b[:, None]
        empty = bool(np.isnan(a).all())
        mean, spread = (0.0, 1.0) if empty else (np.nanmean(a, axis=0), np.nanstd(a, axis=0))
        spread = np.where(spread > 0, spread, 1.0)
        left.append(np.nan_to_num(np.clip((a - mean) / spread, -5, 5)))
        right.append(np.nan_to_num(np.clip((b - mean) / spread, -5, 5)))
    if not left:
        return ours, theirs
    return np.hstack(left), np.hstack(right)


def not_enough(test: str, pair: Pair, needed: int, least: float) -> Finding | None:
    """The finding that says a joint test could not be made, or None where it can."""
    shorter = min(pair.reference.sample.num_rows, pair.current.sample.num_rows)
    if shorter >= needed and pair.reference.columns.keys() & pair.current.columns.keys():
        return None
    return Finding(
        test, "", float("nan"), float("nan"), least, f"One side has {shorter:,} rows, {test} needs {needed:,}."
    )


def _most_common(levels: Counter[str]) -> list[str]:
    """The 250 commonest levels; ties by name, because the order of counting would give the sides away."""
    return sorted(levels, key=lambda level: (-levels[level], level))[:250]


def _floats(column: pa.ChunkedArray[Any]) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        import pandas as pd

        return np.asarray(pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy("float64"))
    values = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return np.where(np.isinf(values), np.nan, values)


def _coded(column: pa.ChunkedArray[Any], known: list[str]) -> np.ndarray:
    """Places in `known` (one beyond it for any other), NaN where missing; each distinct value is looked up once."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    coded: Any = column.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    places = {level: float(place) for place, level in enumerate(known)}
    values = coded.dictionary.to_pylist()
    found = [np.nan if pd.isna(value) else places.get(_word(value), float(len(known))) for value in values]
    rows = pc.fill_null(coded.indices, len(found)).to_numpy(zero_copy_only=False)
    return np.array([*found, np.nan])[rows]


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
