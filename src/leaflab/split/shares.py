"""What the splits share: the sizes of the parts, stable draws, and the checks that must hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from leaflab.errors import ConfigError, DataError
from leaflab.identity import mixed
from leaflab.option import option
from leaflab.split.base import UNUSED, Split
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.base import Prepared

__all__ = ["TEST", "TRAIN", "VALID", "Sized", "check", "draws", "keys_of", "settled"]

TRAIN, VALID, TEST = 0, 1, 2


@option
class Sized(Split):
    """A split with shares, or one of several folds.

    Args:
        test_size: share of all rows kept for the test set, 0 to below 1; 0 for people who keep their own.
        valid_size: share of the rest kept for validation, above 0 and below 1.
        folds: outer folds of a nested cross-validation, each the test set once (`-m split.fold=0,1,2`); 0 for none.
        fold: which of them is the test set now, from 0.
    """

    test_size: Annotated[float, Field(ge=0, lt=1)] = 0.2
    valid_size: Annotated[float, Field(gt=0, lt=1)] = 0.2
    folds: Annotated[int, Field(ge=0, le=100)] = 0
    fold: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.folds == 1 or (self.folds and self.fold >= self.folds):
            raise ConfigError(
                "`split.fold`", f"must lie below split.folds={self.folds}, which must not be 1", got=self.fold
            )

    @property
    def tests(self) -> bool:
        """Whether a test part is wanted."""
        return self.folds > 0 or self.test_size > 0

    def by_draw(self, draw: NDArray[np.float64]) -> NDArray[np.int8]:
        """Parts by thresholds on the draws, so that a row's part depends on nothing but its own key."""
        size, start = (1 / self.folds, self.fold / self.folds) if self.folds else (self.test_size, 0.0)
        test = (start <= draw) & (draw < start + size)
        rest = np.where(draw < start, draw, draw - size) / (1 - size)
        return np.where(test, TEST, np.where(rest < self.valid_size, VALID, TRAIN)).astype("int8")


def draws(keys: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each key, the same wherever and whenever the key comes again, shape (rows,).

    Args:
        keys: texts, or 64-bit hashes of what they stand for.
        seed: another seed, another draw.

    >>> import numpy as np
    >>> draws(np.array(["a", "b", "a"], dtype=object), seed=0).round(3)
    array([0.27 , 0.411, 0.27 ])
    """
    import pandas as pd

    if keys.dtype != np.uint64:
        codes, distinct = pd.factorize(keys)
        each = [hashlib.blake2b(str(k).encode(), digest_size=8).digest() for k in distinct]
        keys = np.frombuffer(b"".join(each), dtype="<u8")[codes]
    salt = mixed(np.array([seed], dtype="int64").view("uint64") + np.uint64(0x9E3779B97F4A7C15))
    words = mixed(keys ^ salt)
    return np.asarray((words >> np.uint64(11)).astype("float64") * 2.0**-53)


def keys_of(prepared: Prepared) -> NDArray[Any]:
    """What decides a row's draw: its id, or the key it shares with its near-duplicates, shape (rows,)."""
    if prepared.keys is None:
        return np.asarray(prepared.table[ROW_ID].to_numpy())
    return prepared.keys


def check(parts: NDArray[np.int8], prepared: Prepared, *, test: bool) -> NDArray[np.int8]:
    """The parts, if every wanted part has rows (`test`: a test part is wanted) and every class stands in train.

    Raises:
        DataError: naming the empty part or the absent classes.
    """
    wanted = [(TRAIN, "train"), (VALID, "valid"), *([(TEST, "test")] if test else [])]
    for code, name in wanted:
        if not (parts == code).any():
            hint = "give more rows or other shares"
            raise DataError(f"the {name} part", "must have at least one row", got=0, hint=hint)
    if prepared.classes:
        import pyarrow as pa
        import pyarrow.compute as pc

        present = pc.unique(prepared.table[prepared.roles.goal].filter(pa.array(parts == TRAIN))).to_pylist()
        absent = [c for c in prepared.classes if c not in present]
        if absent:
            some = ", ".join(repr(c) for c in absent[:5])
            subject = f"the classes {some}" if len(absent) > 1 else f"the class {some}"
            raise DataError(subject, "must stand in train", hint="merge the class, or choose another split")
    return parts


def settled(parts: NDArray[np.int8], prepared: Prepared) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Parts in which near-duplicates stand together, and the rows that leave for it.

    Rows drawn by their keys stand together already; where time, groups or the table itself decide, those in the latest
    part stay, so that the test part is as the split made it and no row changes its side of a moment.
    """
    near = prepared.near
    if near is None or prepared.keys is None or not len(near):
        return parts, np.zeros(0, dtype="int64")
    import pandas as pd

    mine = pd.Series(parts[near])
    latest = mine.groupby(prepared.keys[near]).transform("max")
    leave = near[((mine >= 0) & (mine < latest)).to_numpy()]
    if not len(leave):
        return parts, leave
    parts = parts.copy()
    parts[leave] = UNUSED
    return check(parts, prepared, test=False), leave
