"""Rows that nearly repeat others: equal in all but their numbers, and those close together; in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.prepare.ahead import ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GRIDS", "cells", "companies", "earlier", "fractional", "widths"]

GRIDS = 4
_MOST = 0.1


def fractional(values: NDArray[np.float64]) -> bool:
    """Whether some number is not whole: only such columns are compared on grids."""
    return bool((np.nan_to_num(values) % 1 != 0).any())


def widths(spreads: Mapping[str, float], digits: int) -> dict[str, float]:
    """The width of each number's grid: 10^-digits of its standard deviation, as a power of ten; none without one."""
    return {n: 10.0 ** (np.floor(np.log10(s)) - digits) for n, s in spreads.items() if np.isfinite(s) and s > 0}


def cells(
    base: NDArray[np.uint64], numbers: Mapping[str, NDArray[np.float64]], wide: Mapping[str, float]
) -> NDArray[np.uint64]:
    """Hashes of each row that near rows share, shape (grids, rows).

    Each grid is shifted, so that two close values on either side of an edge still meet in one; without numbers one grid
    is enough.

    Args:
        base: hashes of the columns that must be equal, shape (rows,).
        numbers: the others.
        wide: their cells' widths.
    """
    totals = np.tile(base, (GRIDS if numbers else 1, 1))
    with np.errstate(invalid="ignore"):
        for name, values in numbers.items():
            scaled, salt = values * (1 / wide[name]), _salt(name)
            for grid in range(len(totals)):
                totals[grid] += np.floor(scaled + grid / GRIDS).astype("int64").view("uint64") * salt
    return totals


@lru_cache(maxsize=4096)
def _salt(name: str) -> np.uint64:
    """An odd number of 64 bits: sums of multiples of several collide as rarely as hashes do."""
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") | 1)


def earlier(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows whose key came before, and for each the first row with it."""
    ordered = np.sort(keys)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.zeros(0, "int64"), np.zeros(0, "int64")
    # few keys come twice: their highest bits, in a table that fits a cache, spare most rows the search
    shift = np.uint64(64 - min(26, 8 + len(twice).bit_length()))
    marked = np.zeros(1 << (64 - int(shift)), bool)
    marked[twice >> shift] = True
    rows = np.flatnonzero(marked[keys >> shift])
    group = np.minimum(np.searchsorted(twice, keys[rows]), len(twice) - 1)
    found = twice[group] == keys[rows]
    rows, group = rows[found], group[found]
    first = np.empty(len(twice), dtype="int64")
    first[group[::-1]] = rows[::-1]
    again = first[group] != rows
    return rows[again], first[group[again]]


def companies(
    keys: Iterable[NDArray[np.uint64]], rows: int, moments: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that have near-duplicates, and for each the first row of its company; a friend's friend is a friend.

    Where one company holds a tenth of all rows, its values are too few to tell rows apart: there is none then.

    Args:
        keys: one array a grid, shape (rows,).
        rows: how many there are.
        moments: their times, shape (rows,): the oldest of a company is then its first, whatever the order of rows.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    one, other = (np.concatenate(part) for part in zip(*ahead(earlier, keys), strict=True))
    nodes, ends = np.unique(np.concatenate([one, other]), return_inverse=True)
    if not len(nodes):
        return nodes, nodes
    links = coo_matrix((np.ones(len(one), bool), (ends[: len(one)], ends[len(one) :])), shape=(len(nodes),) * 2)
    count, group = connected_components(links, directed=False)
    order = np.lexsort((nodes, moments[nodes]) if moments is not None else (nodes,))[::-1]
    first = np.empty(count, dtype="int64")
    first[group[order]] = nodes[order]
    if np.bincount(group).max() > _MOST * rows:
        return nodes[:0], nodes[:0]
    return nodes, first[group]
