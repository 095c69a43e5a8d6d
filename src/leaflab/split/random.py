"""Rows drawn by a stable hash of their id, so that a growing table moves no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.option import option
from leaflab.split.shares import Sized, check, draws, keys_of

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Random"]


@option
class Random(Sized):
    """Each row by its own draw: shares are met on average, and rows with the same id stay together."""

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        draw = draws(keys_of(prepared), seed)
        return check(self.by_draw(draw), prepared, test=self.tests)
