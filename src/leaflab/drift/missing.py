"""Missing values: has the share of nulls changed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least, effective
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["Missing", "two_shares"]


def two_shares(k: int, n: int, j: int, m: int) -> float:
    """Two-sided p-value for k of n against j of m: normal where all cells expect ten, else binomial given k + j."""
    from scipy.special import bdtr, bdtrc, ndtr

    both, share = k + j, m / (n + m)
    pooled = both / (n + m)
    if min(n, m) * min(pooled, 1 - pooled) >= 10:
        error = np.sqrt(pooled * (1 - pooled) / effective(n, m))
        return float(2 * ndtr(-abs(j / m - k / n) / error))
    if pooled > 0.5:
        return two_shares(n - k, n, m - j, m)
    if both == 0:
        return 1.0
    upper = 1.0 if j == 0 else float(bdtrc(j - 1, both, share))
    return min(1.0, 2 * min(float(bdtr(j, both, share)), upper))


@option
class Missing(ColumnTest):
    """Two-proportion test of the share of missing values.

    The effect is the difference of the shares. Normal approximation where every cell expects ten rows, else the exact
    binomial given the total (conservative).
    """

    name = "missing"
    kinds = ("number", "level", "time")
    least: Least = 0.02

    def enough(self, reference: Sketch, current: Sketch) -> int:
        return min(reference.rows, current.rows)

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        before, now = reference.nulls / reference.rows, current.nulls / current.rows
        p_value = two_shares(reference.nulls, reference.rows, current.nulls, current.rows)
        words = f"missing in {now:.1%} of rows, was {before:.1%}"
        if current.nulls == current.rows > 0:
            words = f"all values are missing, were {before:.1%}"
        return abs(now - before), p_value, words
