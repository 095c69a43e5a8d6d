"""Rows drawn by a stable hash of their id, so that a growing table moves no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.option import option
from leaflab.split.shares import Sized, by_draw, check, draws, keys_of

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Random"]


@option
class Random(Sized):
    """Each row by its own draw: shares are met on average, and rows with the same id stay together."""

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        draw = draws(keys_of(prepared), seed)
        return check(by_draw(draw, self.test_size, self.valid_size), prepared, test=self.test_size > 0)
