"""What two models' predictions would show if they were exchanged at random, row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from leaflab.metric.base import Metric

__all__ = ["Pair", "chance", "relative", "upper"]

_MOST, _LEAST = 9_999, 999
_CELLS = 20_000_000
_SMALL = 20_000
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Pair:
    """Two models' answers on the same rows.

    Args:
        metric: what decides.
        truth: class codes or values, shape (rows,).
        scores, other: their answers.
        weight: row weights, or None.
    """

    metric: Metric
    truth: np.ndarray
    scores: np.ndarray
    other: np.ndarray
    weight: np.ndarray | None = None

    @cached_property
    def losses(self) -> tuple[np.ndarray, np.ndarray] | None:
        """What each row adds to the losses of both; None where the metric is no mean over rows."""
        mine, theirs = self.metric.rowwise(self.truth, self.scores), self.metric.rowwise(self.truth, self.other)
        if mine is None or theirs is None:
            return None
        if self.metric.direction == "maximize":
            mine, theirs = 1 - mine, 1 - theirs
        return (mine, theirs) if self.weight is None else (self.weight * mine, self.weight * theirs)

    def gain(self, scores: np.ndarray, other: np.ndarray, weight: np.ndarray | None) -> float:
        """The metric computed anew: the share of the loss of `other` that `scores` take off, 0 where there is none."""
        mine, theirs = (self.metric.loss(self.metric.score(self.truth, s, weight)) for s in (scores, other))
        return 1 - mine / theirs if theirs > 0 else 0.0


def chance(pair: Pair, *, alpha: float = 0.05) -> float:
    """The gain that is exceeded with probability alpha at most where neither model is better.

    Where neither is, each row's two predictions might as well have come the other way round. A Monte Carlo test: of
    `draws` exchanges the k-th largest gain, k = alpha (draws + 1), so that the observed one counts among them; exact
    at any number of rows and whatever their losses look like, for no moment of them is estimated. Draws: 9,999 on few
    rows, 999 on 20,000; where a metric is no mean over rows (areas, F1) and is computed anew each time, 999 down to 99.
    Beyond 20,000 rows, and at levels too small for the draws, the normal quantile of the same distribution.

    A metric of order (an area) looks at ranks, which two models share where they share no scale.

    Assumptions: rows are independent. One test at level alpha: several looks need `gate.paired.spent_alpha`.
    Source: Phipson and Smyth, 2010; for areas Venkatraman and Begg, 1996.
    """
    if pair.losses is None:
        gains = _recomputed(pair)
        return _quantile(gains, float(np.sqrt(np.mean(gains**2))), alpha)
    mine, theirs = pair.losses
    apart, total = theirs - mine, float((mine + theirs).sum())
    sums = _signed(apart) if len(apart) <= _SMALL else np.empty(0)
    far = _quantile(sums, math.sqrt(float(apart @ apart)), alpha)
    return float(relative((total - far) / 2, (total + far) / 2, pair.metric.power))


def relative(loss: np.ndarray | float, other: np.ndarray | float, power: float) -> np.ndarray:
    """The share of the other's loss that is taken off, from the two models' sums over rows."""
    under = np.asarray(other, dtype="float64")
    ratio = np.divide(np.maximum(loss, 0.0), under, out=np.ones_like(under), where=under > 0)
    return 1 - ratio ** (1 / power)


def upper(alpha: float) -> float:
    """The normal quantile that is exceeded with probability alpha."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha)


def _quantile(drawn: np.ndarray, spread: float, alpha: float) -> float:
    """What a value must exceed for at most a share alpha of it and the drawn ones to reach it."""
    place = math.floor(alpha * (len(drawn) + 1) + 1e-9)
    if place < 1:
        return max(upper(alpha) * spread, float(drawn.max(initial=0.0)))
    return max(0.0, float(np.partition(drawn, len(drawn) - place)[len(drawn) - place]))


def _signed(values: np.ndarray) -> np.ndarray:
    """Sums of the values with random signs."""
    count = len(values)
    draws = min(_MOST, max(_LEAST, _CELLS // max(1, count)))
    random, step, sums = np.random.default_rng(0), max(1, _CHUNK // max(1, count)), []
    for start in range(0, draws, step):
        size = min(step, draws - start)
        bits = np.unpackbits(random.integers(0, 256, (size, -(-count // 8)), dtype="uint8"), axis=1, count=count)
        sums.append(2 * (bits @ values) - values.sum())
    return np.concatenate(sums)


def _recomputed(pair: Pair) -> np.ndarray:
    """Gains of exchanged predictions, the metric computed anew for each."""
    random, count = np.random.default_rng(0), len(pair.truth)
    scores, other = (_ranks(s) if pair.metric.ordinal else s for s in (pair.scores, pair.other))
    gains = []
    for _ in range(min(_LEAST, max(99, _CHUNK // 2 // max(1, count)))):
        swap = (random.random(count) < 0.5)[(...,) + (None,) * (scores.ndim - 1)]
        gains.append(pair.gain(np.where(swap, other, scores), np.where(swap, scores, other), pair.weight))
    return np.nan_to_num(np.asarray(gains))


def _ranks(scores: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(scores, axis=0))
