"""Whether the columns that have a role hold what it needs, and any is left to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import DataError
from leaflab.prepare.naming import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from leaflab.scorer.columns import Kind

__all__ = ["check_features", "check_time", "check_weights"]


def check_features(features: Sequence[str], names: Sequence[str]) -> None:
    """Something must be left to learn from.

    Args:
        features: the columns that are.
        names: all columns beside the target.
    """
    if not features:
        hint = f"it has {listed(names) or 'no column beside the target'}"
        raise DataError("the table", "must have at least one feature column that varies", hint=hint)


def check_time(name: str, kind: Kind, raw: Iterable[pa.Array[Any]]) -> None:
    """A time column orders rows: texts and truth values would order them by their spelling.

    Args:
        name: the column.
        kind: what it holds.
        raw: its raw values, in pieces.
    """
    example = next((value for piece in raw for value in piece.drop_null().slice(0, 1).to_pylist()), None)
    if kind not in ("time", "number") or example is None:
        hint = f"say how its text reads: prepare.rules={{{name}: {{kind: time, format: '%d.%m.%Y %H:%M'}}}}"
        raise DataError(f"time column {name!r}", "must hold dates, times or numbers", got=example, hint=hint)


def check_weights(name: str, kind: Kind, values: NDArray[Any]) -> None:
    """Weights are numbers from 0, and not all of them 0.

    Args:
        name: the column.
        kind: what it holds.
        values: its typed values, shape (rows,).
    """
    if kind != "number":
        raise DataError(f"weight column {name!r}", "must hold numbers", got=kind)
    weights = np.nan_to_num(values)
    if (weights < 0).any():
        raise DataError(f"weight column {name!r}", "must not hold negative numbers", got=float(weights.min()))
    if not weights.any():
        raise DataError(f"weight column {name!r}", "must hold a number above 0")
