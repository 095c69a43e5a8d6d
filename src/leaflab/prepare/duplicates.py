"""Rows that repeat others: exactly, nearly, or with another target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.identity import row_hashes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["conflicts", "near_keys", "numbered", "repeated"]

_GRIDS = 4
_MOST = 0.1


def repeated(table: pa.Table, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows equal, in every column, to an earlier one of those in `among`, shape (rows,).

    A 64-bit hash finds the candidates and a comparison of all their values decides.
    """
    import pandas as pd

    hashes = pd.Series(row_hashes(table.to_pandas()))[among]
    candidates = hashes.index[hashes.duplicated(keep=False)]
    again = np.zeros(table.num_rows, bool)
    if len(candidates):
        again[candidates] = table.take(candidates.to_numpy()).to_pandas().duplicated().to_numpy()
    return again


def numbered(ids: NDArray[Any]) -> NDArray[Any]:
    """Ids made unique: the second of equals gets `-2`, the third `-3`.

    >>> import numpy as np
    >>> numbered(np.array(["a", "b", "a"])).tolist()
    ['a', 'b', 'a-2']
    """
    import pandas as pd

    place = pd.Series(ids).groupby(ids).cumcount().to_numpy()
    return np.array([f"{i}-{n + 1}" if n else str(i) for i, n in zip(ids, place, strict=True)], dtype=object)


def conflicts(ids: NDArray[Any], target: pa.ChunkedArray[Any]) -> int:
    """Rows whose features equal another row's while the targets differ."""
    import pandas as pd

    twin = pd.Series(ids, dtype=object).duplicated(keep=False).to_numpy()
    twins = pd.DataFrame({"id": ids[twin], "y": target.to_pandas()[twin]})
    return int((twins.groupby("id")["y"].transform("nunique") > 1).sum()) if len(twins) else 0


def near_keys(ids: NDArray[Any], frame: pd.DataFrame, digits: int) -> tuple[NDArray[Any], int]:
    """A key for each row that its near-duplicates share, and how many rows have such company.

    Where one such company holds a tenth of all rows, its values are too few to tell rows apart: none is made then.

    Rows are near when they agree in everything but numbers, and each number lies within the same cell of a grid, whose
    width is 10^-digits of the number's spread (as a power of ten). Several shifted grids are tried, so that two close
    values on either side of a cell's edge still meet.

    Args:
        ids: a key of each row alone, shape (rows,); a company's key is that of its first row.
        frame: the feature columns.
        digits: 1 (coarse) and up.
    """
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    fixed, moving = _parts(frame, digits)
    rows = np.arange(len(frame))
    base = row_hashes(fixed)
    edges = []
    for grid in range(_GRIDS if moving else 1):
        cells = {n: np.floor(v / w + grid / _GRIDS) for n, (v, w) in moving.items()}
        first = _first(base + row_hashes(pd.DataFrame(cells, index=frame.index)))
        joined = first != rows
        edges.append((rows[joined], first[joined]))
    one, other = (np.concatenate(part) for part in zip(*edges, strict=True))
    if not len(one):
        return ids, 0
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(frame), len(frame)))
    _, group = connected_components(links, directed=False)
    leader = _first(group)
    sizes = np.bincount(group)[group]
    if sizes.max() > _MOST * len(ids):
        return ids, 0
    return ids[leader], int((sizes > 1).sum())


def _first(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Place of the first row with each row's key."""
    import pandas as pd

    codes, _ = pd.factorize(keys)
    firsts = np.full(codes.max() + 1, len(codes))
    np.minimum.at(firsts, codes, np.arange(len(codes)))
    return np.asarray(firsts[codes])


def _parts(frame: pd.DataFrame, digits: int) -> tuple[pd.DataFrame, dict[str, tuple[NDArray[np.float64], float]]]:
    """Columns that must agree exactly, and those that are compared on grids, with the width of their cells."""
    moving: dict[str, tuple[NDArray[np.float64], float]] = {}
    for name in frame.columns:
        if frame[name].dtype.kind != "f":
            continue
        values = frame[name].to_numpy()
        spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
        if spread > 0 and (np.nan_to_num(values) % 1 != 0).any():
            moving[name] = (values, 10.0 ** (np.floor(np.log10(spread)) - digits))
    return frame.drop(columns=list(moving)), moving
