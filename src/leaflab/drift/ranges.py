"""Ranges: values below or above all that the reference holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["Ranges"]


@option
class Ranges(ColumnTest):
    """Values outside the reference's range, beyond what extremes do by chance.

    Where nothing differs, the k largest of n + m values are all current ones with a chance of about (m / (n + m))^k,
    exact for continuous values. The effect is the share of current values outside. A change of unit shows here first.
    """

    name = "ranges"
    kinds = ("number",)
    least: Least = 0.005

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        below, above = int(current.counts[0]), int(current.counts[-1])
        n, m = reference.present, current.present
        p_value = min(1.0, 2 * np.exp(min(_log_chance(below, n, m), _log_chance(above, n, m))))
        share = (below + above) / m
        words = f"{share:.1%} of values outside {reference.low:.4g} to {reference.high:.4g}"
        if share:
            words += f" (now {current.low:.4g} to {current.high:.4g})"
        return share, float(p_value), words


def _log_chance(count: int, n: int, m: int) -> float:
    """Log of the chance that the `count` most extreme of n + m values are all among the m."""
    from scipy.special import gammaln

    return float(gammaln(m + 1) - gammaln(m - count + 1) - gammaln(n + m + 1) + gammaln(n + m - count + 1))
