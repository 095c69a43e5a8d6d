"""Wasserstein: how far the mass of one distribution must travel to become the other."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least, effective
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["Wasserstein"]

_POINTS = 128
_DRAWS = 999


@option
class Wasserstein(ColumnTest):
    """Wasserstein distance of order 1, in standard deviations of the reference: the size of a shift.

    The p-value compares it with 999 draws of its limit where nothing differs, an integrated Brownian bridge (del
    Barrio, Giné and Matrán 1999), and with a gamma distribution of the same mean and variance beyond what the draws
    resolve. Heavy tails make it insensitive; a distance uses the grid's points, at most 128 of them for the p-value.
    """

    name = "wasserstein"
    kinds = ("number",)
    least: Least = 0.1

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        places, ours, theirs = _functions(reference, current)
        scale = reference.deviation or abs(reference.mean) or 1.0
        length = float(_area(np.abs(ours - theirs), places)) / scale
        keep = np.unique(np.linspace(0, len(places) - 1, min(_POINTS, len(places))).round().astype(np.intp))
        places, ours, theirs = places[keep], ours[keep], theirs[keep]
        root = np.sqrt(effective(reference.present, current.present))
        observed = float(root * _area(np.abs(ours - theirs), places))
        pooled = (ours * reference.present + theirs * current.present) / (reference.present + current.present)
        p_value = _tail(observed, _area(np.abs(_bridges(pooled)), places))
        means = f"mean {reference.mean:.4g} → {current.mean:.4g}"
        return length, p_value, f"moved by {length:.3g} standard deviations ({means})"


def _functions(reference: Sketch, current: Sketch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both distribution functions at the grid's points and at the pair's extremes."""
    edges = reference.edges
    ends = np.r_[min(reference.low, current.low, edges[0]), edges, max(reference.high, current.high, edges[-1])]
    return ends, *(np.r_[0.0, np.cumsum(side.counts)] / side.present for side in (reference, current))


def _area(heights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Trapezoids under heights at places; the last axis runs over places."""
    return np.asarray(((heights[..., 1:] + heights[..., :-1]) / 2) @ np.diff(places))


@cache
def _normals(points: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((_DRAWS, points))


def _bridges(function: np.ndarray) -> np.ndarray:
    """Draws of the Brownian bridge at the values of a distribution function, shape (draws, points)."""
    steps = np.sqrt(np.maximum(0.0, np.diff(function, prepend=0.0)))
    paths = np.cumsum(_normals(len(function)) * steps, axis=1)
    return paths - function * paths[:, -1:]


def _tail(observed: float, draws: np.ndarray) -> float:
    from scipy.special import gammaincc

    share = (1 + int((draws >= observed).sum())) / (len(draws) + 1)
    mean, variance = float(draws.mean()), float(draws.var())
    if share > 0.01 or variance == 0:
        return share
    return min(share, float(gammaincc(mean**2 / variance, observed * mean / variance)))
