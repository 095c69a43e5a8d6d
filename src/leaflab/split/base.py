"""A split gives every row of a table to train, valid or test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["UNUSED", "Split"]

UNUSED = -1
"""Code of a row that stands in no part: in a gap, or after the test set of a fold."""


class Split(ABC):
    """Contract: the same rows and seed give the same parts; no group and no row_id stands in two parts."""

    @property
    def aside(self) -> tuple[str, ...]:
        """Raw columns the split reads that are no part of the dataset; they come as `Prepared.aside`."""
        return ()

    @abstractmethod
    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        """Part of each row, shape (rows,), int8: 0 train, 1 valid, 2 test, -1 none.

        Raises:
            DataError: too few rows or groups, a class absent from train, a time column that cannot order rows.
        """
