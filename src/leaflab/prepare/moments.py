"""How far numbers spread, from a stream of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Moments"]


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations, which add up over batches (Chan, Golub and LeVeque 1979).

    >>> import numpy as np
    >>> (Moments.of(np.array([1.0, 2.0])) + Moments.of(np.array([3.0, np.nan]))).spread == np.std([1.0, 2.0, 3.0])
    np.True_
    """

    count: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """Of some values; missing ones do not count."""
        present = values[~np.isnan(values)]
        if not len(present):
            return cls(0, 0.0, 0.0)
        mean = float(present.mean())
        return cls(len(present), mean, float(((present - mean) ** 2).sum()))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        return Moments(count, mean, self.squares + other.squares + apart**2 * self.count * other.count / count)

    @property
    def spread(self) -> float:
        """The standard deviation; nought where no value is there."""
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0
