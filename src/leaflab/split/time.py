"""The newest rows for the test set, those before for validation, the oldest for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError
from leaflab.option import option
from leaflab.split.shares import TEST, TRAIN, VALID, Sized, check

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Time"]


@option
class Time(Sized):
    """Cuts at moments of `dataset.time`; rows of one moment stay together, on the earlier side of the cut."""

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        import numpy as np

        column = prepared.roles.time
        if column is None:
            raise ConfigError("`split=time`", "needs a time column", hint="name it as dataset.time=COLUMN")
        values = prepared.table[column].to_pandas().to_numpy()
        moments, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        needed = 3 if self.test_size else 2
        if len(moments) < needed:
            raise DataError(
                f"time column {column!r}", f"must have at least {needed} different moments", got=len(moments)
            )
        before = np.cumsum(counts)
        first_test = len(moments)
        if self.test_size:
            first_test = self._cut(before, len(values) * (1 - self.test_size), 2, len(moments) - 1)
        first_valid = self._cut(before, before[first_test - 1] * (1 - self.valid_size), 1, first_test - 1)
        part = np.full(len(moments), TRAIN, dtype="int8")
        part[first_valid:], part[first_test:] = VALID, TEST
        return check(part[codes], prepared, test=self.test_size > 0)

    def _cut(self, before: np.ndarray, rows: float, least: int, most: int) -> int:
        """Index of the first moment after the cut, so that about `rows` rows come before it."""
        import numpy as np

        after = int(np.searchsorted(before, rows - 0.5)) + 1
        return max(least, min(after, most))
