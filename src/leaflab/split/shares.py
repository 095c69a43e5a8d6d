"""What the splits share: the sizes of the parts, stable draws, and the checks that must hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from leaflab.errors import DataError
from leaflab.option import option
from leaflab.split.base import Split
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.base import Prepared

__all__ = ["TEST", "TRAIN", "VALID", "Sized", "by_draw", "check", "draws", "keys_of"]

TRAIN, VALID, TEST = 0, 1, 2


@option
class Sized(Split):
    """A split with shares.

    Args:
        test_size: share of all rows kept for the test set, 0 to below 1; 0 for people who keep their own.
        valid_size: share of the rest kept for validation, above 0 and below 1.
    """

    test_size: Annotated[float, Field(ge=0, lt=1)] = 0.2
    valid_size: Annotated[float, Field(gt=0, lt=1)] = 0.2


def draws(keys: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each key, the same wherever and whenever the key comes again, shape (rows,).

    >>> import numpy as np
    >>> draws(np.array(["a", "b", "a"]), seed=0).round(3)
    array([0.08 , 0.946, 0.08 ])
    """
    import pandas as pd

    codes, distinct = pd.factorize(np.asarray(keys, dtype=object))
    salt = str(seed).encode().ljust(1, b"0")
    each = [hashlib.blake2b(str(k).encode(), digest_size=8, key=salt).digest() for k in distinct]
    words = np.frombuffer(b"".join(each), dtype="<u8")
    return np.asarray((words >> np.uint64(11)).astype("float64") * 2.0**-53)[codes]


def keys_of(prepared: Prepared) -> NDArray[Any]:
    """What decides a row's draw: its id, or the key it shares with its near-duplicates, shape (rows,)."""
    return prepared.table[ROW_ID].to_numpy() if prepared.keys is None else prepared.keys


def by_draw(draw: NDArray[np.float64], test_size: float, valid_size: float) -> NDArray[np.int8]:
    """Parts by thresholds on the draws, so that a row's part depends on nothing but its own key."""
    valid_until = test_size + (1 - test_size) * valid_size
    return np.where(draw < test_size, TEST, np.where(draw < valid_until, VALID, TRAIN)).astype("int8")


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
