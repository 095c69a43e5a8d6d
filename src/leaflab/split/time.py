"""The newest rows for the test set, those before for validation, the oldest for training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, DataError
from leaflab.option import option
from leaflab.split.base import UNUSED
from leaflab.split.shares import TEST, TRAIN, VALID, Sized, check

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Time"]


@option
class Time(Sized):
    """Cuts at moments of `dataset.time`; rows of one moment stay together, on the earlier side of the cut.

    With `folds` the timeline is cut into folds + 1 blocks: fold k is tested on block k + 1 and learns from what came
    before it; what comes later is not used.

    Args:
        gap: time ("7 days", or a number in the column's own unit) left out before validation and before the test, for
            labels and windows that reach ahead.
        window: length of the training part, as `gap`; null: all that came before (expanding), else sliding.
    """

    gap: str | int | float | None = None
    window: str | int | float | None = None

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        import numpy as np

        column = prepared.roles.time
        if column is None:
            raise ConfigError("`split=time`", "needs a time column", hint="name it as dataset.time=COLUMN")
        values = prepared.table[column].to_pandas().to_numpy()
        moments, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        needed = max(3 if self.tests else 2, self.folds + 2 if self.folds else 0)
        if len(moments) < needed:
            hint = "" if self.folds == 0 else "ask for fewer folds"
            raise DataError(
                f"time column {column!r}", f"must have {needed} different moments", got=len(moments), hint=hint
            )
        part = self._parts(moments, np.cumsum(counts))
        return check(part[codes], prepared, test=self.tests)

    def _parts(self, moments: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Part of each moment; `before` counts the rows up to and with it."""
        import numpy as np

        total = len(moments)
        first_test, end = total, total
        if self.folds:
            block = before[-1] / (self.folds + 1)
            first_test = _cut(before, block * (self.fold + 1), 2, total - self.folds + self.fold)
            end = _cut(before, block * (self.fold + 2), first_test + 1, total)
        elif self.test_size:
            first_test = _cut(before, before[-1] * (1 - self.test_size), 2, total - 1)
        first_valid = _cut(before, before[first_test - 1] * (1 - self.valid_size), 1, first_test - 1)
        part = np.full(total, TRAIN, dtype="int8")
        part[first_valid:], part[first_test:], part[end:] = VALID, TEST, UNUSED
        if self.gap is not None:
            gap = _length(self.gap, moments)
            part[(part == TRAIN) & (moments >= moments[first_valid] - gap)] = UNUSED
            if first_test < total:
                part[(part == VALID) & (moments >= moments[first_test] - gap)] = UNUSED
        if self.window is not None:
            newest = moments[part == TRAIN].max() if (part == TRAIN).any() else moments[0]
            part[(part == TRAIN) & (moments <= newest - _length(self.window, moments))] = UNUSED
        return part


def _cut(before: np.ndarray, rows: float, least: int, most: int) -> int:
    """Index of the first moment after the cut, so that about `rows` rows come before it."""
    import numpy as np

    after = int(np.searchsorted(before, rows - 0.5)) + 1
    return max(least, min(after, most))


def _length(given: str | int | float, moments: np.ndarray) -> Any:
    """A stretch of time in the unit of the column."""
    import pandas as pd

    if moments.dtype.kind != "M":
        if isinstance(given, str):
            raise ConfigError("`split.gap`", "must be a number where the time column holds numbers", got=given)
        return given
    try:
        return pd.Timedelta(given if isinstance(given, str) else f"{given} days").to_timedelta64()
    except ValueError as error:
        raise ConfigError("`split.gap`", "must read like '7 days'", got=given) from error
