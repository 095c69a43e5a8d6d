"""Kolmogorov and Smirnov: the greatest distance between two distribution functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least, effective
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["KS", "distance"]


def distance(reference: Sketch, current: Sketch) -> tuple[float, float]:
    """The distance, 0 to 1, and its asymptotic p-value with Stephens' correction (1970)."""
    from scipy.special import kolmogorov

    ours = np.cumsum(reference.counts) / reference.present
    theirs = np.cumsum(current.counts) / current.present
    gap = float(np.abs(ours - theirs).max())
    root = np.sqrt(effective(reference.present, current.present))
    return gap, float(kolmogorov((root + 0.12 + 0.11 / root) * gap))


@option
class KS(ColumnTest):
    """Kolmogorov-Smirnov test (Smirnov 1939): sees any change of a number's distribution, best near its middle.

    The effect is the distance between the two distribution functions, 0 to 1, short by at most the sketch's error.
    Assumes independent rows; ties make the p-value too large, never too small.
    """

    name = "ks"
    kinds = ("number",)
    least: Least = 0.05

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        gap, p_value = distance(reference, current)
        return (
            gap,
            p_value,
            f"distribution functions are {gap:.3f} apart (mean {reference.mean:.4g} → {current.mean:.4g})",
        )
