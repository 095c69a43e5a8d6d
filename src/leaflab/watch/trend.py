"""How drift came: suddenly, gradually, or again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["shape"]


def shape(effects: Sequence[float], least: float) -> str:
    """The shape of a series of effects, one a look, oldest first; "" where four looks are not yet there.

    "recurring": it was above what is harmless, fell below, and is above again. "gradual": it rose over at least three
    looks, none of which holds most of the rise. "sudden": one step holds most of it.

    >>> shape([0, 0, 0, 9, 9], 1), shape([0, 1, 2, 3, 4, 5], 1), shape([5, 0, 0, 5], 1)
    ('sudden', 'gradual', 'recurring')
    """
    values = np.nan_to_num(np.asarray(effects, dtype="float64"))
    if len(values) < 4 or values[-1] < least:
        return ""
    above = values >= least
    if (np.diff(above.astype(int)) == 1).sum() + above[0] > 1:
        return "recurring"
    steps = np.diff(values)
    rise = values[-1] - values.min()
    return "sudden" if rise <= 0 or steps.max(initial=0.0) > 0.6 * rise else "gradual"
