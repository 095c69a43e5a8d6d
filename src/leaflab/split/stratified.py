"""Rows drawn class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.option import option
from leaflab.split.shares import TRAIN, Sized, check, draws, keys_of

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Stratified"]


@option
class Stratified(Sized):
    """Each class in every part.

    Args:
        exact: give each class its exact share, by the rank of its rows' draws; a growing table then moves rows. The
            default draws each row by itself, as `random` does, and only sees to it that no class is absent from train.
    """

    exact: bool = False

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        import numpy as np
        import pandas as pd

        keys = keys_of(prepared)
        draw = draws(keys, seed)
        if not prepared.classes:
            return check(self.by_draw(draw), prepared, test=self.tests)
        classes = pd.factorize(prepared.table[prepared.roles.goal].to_pandas())[0]
        if self.exact:
            stratum = pd.Series(classes).groupby(keys).transform("first").to_numpy()
            order = pd.Series(draw).groupby(stratum)
            draw = ((order.rank(method="dense") - 0.5) / order.transform("nunique")).to_numpy()
        parts = self.by_draw(draw)
        for code in np.setdiff1d(classes, classes[parts == TRAIN]):
            last = draw[classes == code].max()
            parts[np.isin(keys, keys[(classes == code) & (draw == last)])] = TRAIN
        return check(parts, prepared, test=self.tests)
