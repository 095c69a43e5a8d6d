"""Rows that repeat others: exactly, by a key, nearly, or with another target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from leaflab.identity import row_hashes
from leaflab.prepare.near import cells, companies, earlier, widths

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Keep", "conflicts", "few_values", "near_rows", "numbered", "outdone", "places", "repeated"]

Keep = Literal["first", "last", "newest"]

_MOST_COPIES, _LOADED = 0.5, 0.9


def repeated(table: pa.Table, among: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows equal, in every column, to an earlier one of those in `among`, shape (rows,); and for each its first.

    A 64-bit hash finds the candidates and a comparison of all their values decides.
    """
    rows = np.flatnonzero(among)
    one, other = (rows[part] for part in earlier(row_hashes(table.to_pandas())[rows]))
    again = np.zeros(table.num_rows, bool)
    if len(one):
        candidates = np.unique(np.concatenate([one, other]))
        again[candidates] = table.take(candidates).to_pandas().duplicated().to_numpy()
    return again, other


def few_values(firsts: NDArray[np.int64], total: int) -> bool:
    """Whether rows repeat because their values are few: more than half do, and not each as often as the others.

    Where nine of ten rows come equally often, the table was loaded more than once.

    Args:
        firsts: the first of its likes for each row that repeats one.
        total: rows in all.

    >>> import numpy as np
    >>> few_values(np.array([0, 1, 2, 0, 1, 2]), 9), few_values(np.array([0, 0, 0, 0, 0, 1]), 8)
    (False, True)
    """
    if len(firsts) <= _MOST_COPIES * total:
        return False
    times = np.unique(firsts, return_counts=True)[1]
    distinct = total - len(firsts)
    return bool(np.bincount(times).max() < _LOADED * distinct)


def outdone(keys: NDArray[np.uint64], keep: Keep, moments: NDArray[Any] | None = None) -> NDArray[np.int64]:
    """The rows that give way to another with the same key.

    Args:
        keys: shape (rows,).
        keep: which of them stays; of several newest ones the last.
        moments: the rows' times, for "newest".
    """
    if keep == "first":
        return earlier(keys)[0]
    order = np.arange(len(keys)) if keep == "last" or moments is None else np.argsort(moments, kind="stable")
    order = order[::-1]
    return np.asarray(order[earlier(keys[order])[0]])


def places(keys: NDArray[Any]) -> NDArray[np.int64]:
    """How many rows before have the same key, shape (rows,)."""
    import pandas as pd

    return np.asarray(pd.Series(keys).groupby(keys).cumcount().to_numpy())


def numbered(ids: NDArray[Any], place: NDArray[np.int64]) -> NDArray[Any]:
    """Ids made unique: the second of equals gets `-2`, the third `-3`.

    >>> import numpy as np
    >>> numbered(np.array(["a", "b", "a"]), np.array([0, 0, 1])).tolist()
    ['a', 'b', 'a-2']
    """
    return np.array([f"{i}-{n + 1}" if n else str(i) for i, n in zip(ids, place, strict=True)], dtype=object)


def conflicts(ids: NDArray[Any], target: pa.ChunkedArray[Any]) -> int:
    """Rows whose features equal another row's while the targets differ."""
    import pandas as pd

    twin = pd.Series(ids, dtype=object).duplicated(keep=False).to_numpy()
    twins = pd.DataFrame({"id": ids[twin], "y": target.to_pandas()[twin]})
    return int((twins.groupby("id")["y"].transform("nunique") > 1).sum()) if len(twins) else 0


def near_rows(
    frame: pd.DataFrame, spreads: Mapping[str, float], digits: int, moments: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that have near-duplicates, and the first of its company for each.

    Rows are near when they agree in everything but numbers with fractions, and each of those lies within the same cell
    of a grid, whose width is 10^-digits of the number's spread (as a power of ten).

    Args:
        frame: the columns to compare.
        spreads: the standard deviations of its numbers with fractions.
        digits: 1 (coarse) and up.
        moments: the rows' times, which say which row of a company is its first.
    """
    wide = widths(spreads, digits)
    moving = {name: frame[name].to_numpy() for name in frame.columns if name in wide}
    base = row_hashes(frame.drop(columns=list(moving)))
    return companies(cells(base, moving, wide), len(frame), moments)
