"""How much better one model is than another on the same rows, and how sure we are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from leaflab.gate.exchange import Pair, chance, relative, upper

if TYPE_CHECKING:
    from leaflab.metric.base import Metric

__all__ = ["Gain", "paired_gain", "sliced_gains", "spent_alpha", "widened"]

_RESAMPLES = 999
_SMALL = 20_000
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Gain:
    """The relative gain of a challenger: 1 - its loss / the other's loss (0.01 is one percent better).

    Args:
        estimate: the observed gain.
        error: its standard error.
        low: one-sided lower bound at level 1 - alpha.
        high: one-sided upper bound at level 1 - alpha.
        chance: what predictions exchanged at random show at level alpha.
        loss: the challenger's loss.
        other: the other model's loss.
        rows: rows compared.
        alpha: the level of each bound.
    """

    estimate: float
    error: float
    low: float
    high: float
    chance: float
    loss: float
    other: float
    rows: int
    alpha: float

    @property
    def defined(self) -> bool:
        """Whether the rows define the metric (those of one class define no area)."""
        return not math.isnan(self.loss + self.other)

    def needed(self, margin: float) -> float:
        """The gain beyond which the challenger is better: what sampling and a change of no account could show together.

        Sampling alone shows up to `chance` at level alpha, a change of no account (another seed) up to the margin; the
        two are independent, so they add in squares.
        """
        return math.hypot(self.chance, margin)

    def more_rows(self, margin: float) -> int | None:
        """Further rows that would tell this gain from the margin with 80 % power; None where no number would.

        A gain above the margin is told when it exceeds `needed`, one below it when its upper bound is below the margin.
        """
        if self.error == 0 or abs(self.estimate - margin) < 1e-12:
            return None
        quantile, spare = upper(self.alpha), upper(0.2)
        for doubling in np.arange(0.0, 40.0, 0.05):
            less = 2 ** (-doubling / 2)
            error = self.error * less
            above = self.estimate > math.hypot(self.chance * less, margin) + spare * error
            below = self.estimate < margin - (quantile + spare) * error
            if above or below:
                return int(np.ceil(self.rows * (2**doubling - 1)))
        return None

    def __str__(self) -> str:
        return f"{self.estimate:+.2%} ({self.low:+.2%} to {self.high:+.2%})"


def spent_alpha(alpha: float, looks: int) -> float:
    """The level of the next look at a test set that was looked at `looks` times before.

    The first look gets alpha, look k > 1 gets alpha / (k (k - 1)), which adds up to alpha again: over any number of
    looks, chosen in the light of each other, the chance of even one false promotion stays below 2 alpha.

    >>> [round(spent_alpha(0.05, looks), 4) for looks in range(4)]
    [0.05, 0.025, 0.0083, 0.0042]
    """
    return alpha if looks <= 0 else alpha / (looks * (looks + 1))


def widened(alpha: float, margin: float, looks: int) -> float:
    """The margin of the next look: it is a quantile at level alpha, and grows as that shrinks.

    >>> round(widened(0.05, 0.005, 1), 4)
    0.006
    """
    return margin * upper(spent_alpha(alpha, looks)) / upper(alpha)


def paired_gain(
    metric: Metric,
    truth: np.ndarray,
    scores: np.ndarray,
    other: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    alpha: float = 0.05,
) -> Gain:
    """The gain of `scores` over `other`, its one-sided bounds from a paired bootstrap, and what chance shows.

    Metrics that are means of rows take a studentised bootstrap (normal quantiles beyond 20,000 rows, where both agree);
    the others (areas, F1) a normal interval around a bootstrapped standard error.

    Assumptions: rows are independent; grouped or autocorrelated rows make the interval too short. One test at level
    alpha: several looks at the same rows need `spent_alpha`.
    """
    mine = metric.loss(metric.score(truth, scores, weight))
    theirs = metric.loss(metric.score(truth, other, weight))
    pair = Pair(metric, truth, scores, other, weight)
    terms = _terms(pair)
    if terms is None:
        estimate, error = _resampled(pair)
        low, high = _normal(alpha)
    else:
        estimate, error, low, high = _studentised(terms, alpha, metric.power)
    around = (estimate - high * error, estimate - low * error)
    return Gain(estimate, error, *around, chance(pair, alpha=alpha), mine, theirs, len(truth), alpha)


def _normal(alpha: float) -> tuple[float, float]:
    return -upper(alpha), upper(alpha)


def sliced_gains(
    metric: Metric, truth: np.ndarray, scores: np.ndarray, other: np.ndarray, masks: Sequence[np.ndarray]
) -> list[tuple[float, float]] | None:
    """Gain and standard error (delta method) within each mask; None where the metric is no mean over rows."""
    terms = _terms(Pair(metric, truth, scores, other))
    if terms is None:
        return None
    sums = np.array([terms[mask].sum(axis=0) for mask in masks]).reshape(-1, 5)
    return [(float(g), float(e)) for g, e in zip(*_gain_and_error(sums, metric.power), strict=True)]


def _terms(pair: Pair) -> np.ndarray | None:
    """What the gain is made of, row by row: h, c, hh, cc and hc, shape (rows, 5)."""
    if pair.losses is None:
        return None
    mine, theirs = pair.losses
    return np.column_stack([mine, theirs, mine * mine, theirs * theirs, mine * theirs])


def _studentised(terms: np.ndarray, alpha: float, power: float) -> tuple[float, float, float, float]:
    """Gain, standard error and the alpha and 1 - alpha quantiles of its studentised distribution."""
    estimate, error = (float(v[0]) for v in _gain_and_error(terms.sum(axis=0)[None], power))
    count = len(terms)
    if error == 0 or count > _SMALL:
        return (estimate, error, *_normal(alpha))
    random = np.random.default_rng(0)
    step = max(1, _CHUNK // count)
    spread = []
    for start in range(0, _RESAMPLES, step):
        copies = _copies()[random.integers(0, 1 << 16, (min(step, _RESAMPLES - start), count), dtype="uint16")]
        again, around = _gain_and_error(copies @ terms, power)
        spread.append(np.divide(again - estimate, around, out=np.zeros_like(again), where=around > 0))
    low, high = np.quantile(np.concatenate(spread), [alpha, 1 - alpha])
    return estimate, error, float(low), float(high)


@cache
def _copies() -> np.ndarray:
    """How often a resample holds a row, Poisson with mean 1, by 65,536 equally likely places: ten times as fast."""
    shares = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(12)])
    return np.searchsorted(shares, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype("float64")


def _gain_and_error(sums: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Gain and its delta-method error from sums of (h, c, hh, cc, hc) over rows, shape (samples, 5)."""
    h, c, hh, cc, hc = sums.T
    ratio = np.divide(h, c, out=np.ones_like(h), where=c > 0)
    spread = np.maximum(hh - 2 * ratio * hc + ratio**2 * cc, 0.0)
    slope = np.divide(ratio ** (1 / power), ratio * c * power, out=np.zeros_like(c), where=(c > 0) & (ratio > 0))
    return relative(h, c, power), slope * np.sqrt(spread)


def _resampled(pair: Pair) -> tuple[float, float]:
    """Gain and bootstrapped standard error of a metric that is no mean over rows."""
    random, count = np.random.default_rng(0), len(pair.truth)
    weights = np.ones(count) if pair.weight is None else pair.weight
    repeats = 300 if count <= _SMALL else 60
    gains = [pair.gain(pair.scores, pair.other, weights * random.poisson(1.0, count)) for _ in range(repeats)]
    return pair.gain(pair.scores, pair.other, weights), float(np.nanstd(gains, ddof=1))
