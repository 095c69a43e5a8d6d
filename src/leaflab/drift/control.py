"""Many tests at once: which findings stand when some would come up by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["adjusted", "chance"]


def adjusted(p_values: Sequence[float]) -> np.ndarray:
    """P-values adjusted so that those at most q are false in a share of at most q (Benjamini and Hochberg 1995).

    Where nothing differs at all, the chance of even one adjusted value at most q is at most q. Holds for independent
    tests and for positively dependent ones, as tests of the same columns are. NaN stays NaN and counts for nothing.

    >>> adjusted([0.01, 0.5, 0.02, float("nan")]).round(3).tolist()
    [0.03, 0.5, 0.03, nan]
    """
    values = np.asarray(p_values, dtype="float64")
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known])]
    ranked = values[order] * len(order) / np.arange(1, len(order) + 1)
    result = np.full(len(values), np.nan)
    result[order] = np.minimum(1.0, np.minimum.accumulate(ranked[::-1])[::-1])
    return result


def chance(p_value: float) -> str:
    """A p-value in words."""
    return f"p = {p_value:.2g}" if p_value > 1e-300 else "p < 1e-300"
