"""Concept drift: does the truth still follow from the features as it did?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.base import Finding
from leaflab.drift.control import chance
from leaflab.watch.performance import NEEDED

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.watch.scored import Scored

__all__ = ["adwin", "permutation", "surprise"]

_PERMUTATIONS = 499
_DELTA = 0.002
_ROWS = 20_000


def surprise(metric: Metric, now: Scored, drawn: np.ndarray | None, least: float, own: float = 0.0) -> Finding:
    """The realised loss among those imagined for the same rows: beyond them, the truth no longer follows as it did.

    Tells a changed concept from rows that only got harder, whose loss was foreseen. Normal tail around the imagined
    losses, which carry the calibration's own uncertainty. A few errors larger than any before widen the realised loss's
    own spread (`own`); where that is the greater it counts, because rare events prove nothing about the rule.
    """
    from scipy.special import ndtr

    now = now.labelled
    if drawn is None or len(now) < NEEDED:
        why = f"{len(now):,} rows have their truth, a test of the concept needs {NEEDED} and 200 unseen reference rows."
        return Finding("surprise", "", float("nan"), float("nan"), least, why)
    loss = metric.loss(metric.score(now.truth, now.scores))
    imagined = np.array([metric.loss(value) for value in drawn])
    expected, spread = float(imagined.mean()), max(float(imagined.std(ddof=1)), own)
    p_value = float(ndtr(-(loss - expected) / spread)) if spread > 0 else 1.0
    effect = max(0.0, loss / expected - 1) if expected > 0 else 0.0
    name = metric.name if metric.direction == "minimize" else f"1 - {metric.name}"
    words = f"{name} is {loss:.4f} where these rows should give {expected:.4f} ± {1.96 * spread:.4f}"
    return Finding("surprise", "", effect, p_value, least, f"Concept: {words} ({chance(p_value)}).")


def permutation(metric: Metric, before: Scored, now: Scored, least: float) -> Finding:
    """Permutation test of the mean loss of two windows (one-sided: is the later one worse?).

    Assumes rows that could be exchanged were nothing different; it sees harder rows as well as a changed concept. The
    normal tail of the permutations serves beyond what 499 of them resolve.
    """
    from scipy.special import ndtr

    before, now = before.labelled.sample(_ROWS), now.labelled.sample(_ROWS)
    ours, theirs = (metric.rowwise(side.truth, side.scores) for side in (before, now))
    if ours is None or theirs is None or min(len(ours), len(theirs)) < NEEDED:
        why = f"{min(len(before), len(now)):,} labelled rows on one side, permuting losses needs {NEEDED}."
        return Finding("permutation", "", float("nan"), float("nan"), least, why)
    losses = np.r_[ours, theirs] * (1.0 if metric.direction == "minimize" else -1.0)
    size, total, random = len(theirs), losses.sum(), np.random.default_rng(0)

    def gap(later: float) -> float:
        return float(later / size - (total - later) / len(ours))

    observed = gap(losses[len(ours) :].sum())
    drawn = np.array([gap(random.choice(losses, size, replace=False).sum()) for _ in range(_PERMUTATIONS)])
    share = (1 + int((drawn >= observed).sum())) / (_PERMUTATIONS + 1)
    p_value = share if share > 0.01 else min(share, float(ndtr(-(observed - drawn.mean()) / max(drawn.std(), 1e-300))))
    effect = max(0.0, observed / abs(float(ours.mean()))) if ours.mean() else 0.0
    words = f"mean {metric.name} {abs(theirs.mean()):.4f} in {size:,} rows, was {abs(ours.mean()):.4f}"
    return Finding("permutation", "", effect, p_value, least, f"Between windows: {words} ({chance(p_value)}).")


def adwin(metric: Metric, before: Scored, now: Scored, least: float) -> Finding:
    """ADWIN (Bifet and Gavaldà 2007) over the losses in time order: where in the stream did the mean rise?

    Its own bound on false alarms (0.002 at each look) stands as the p-value. The bound holds for losses of 0 to 1, to
    which they are brought by the reference's range, cut off at its 99th percentile. Needs the package river.
    """
    nothing = float("nan")
    try:
        from river.drift import ADWIN
    except ImportError:
        why = "ADWIN needs an optional package: pip install 'leaflab[drift]'."
        return Finding("adwin", "", nothing, nothing, least, why)
    before, now = before.labelled, now.labelled
    before = before.take(np.arange(max(0, len(before) - _ROWS), len(before)))
    ours, theirs = (metric.rowwise(side.truth, side.scores) for side in (before, now))
    if ours is None or theirs is None or min(len(ours), len(theirs)) < NEEDED:
        return Finding("adwin", "", nothing, nothing, least, f"A stream of losses needs {NEEDED} rows on each side.")
    sign = 1.0 if metric.direction == "minimize" else -1.0
    for place in _rises(ADWIN(delta=_DELTA), _bounded(sign * ours, sign * theirs), len(ours)):
        rate, known = float((sign * theirs[place:]).mean()), float((sign * ours).mean())
        effect = max(0.0, (rate - known) / abs(known)) if known else 0.0
        words = f"the loss rose from row {place + 1:,} of {len(theirs):,} on, {abs(known):.4f} → {abs(rate):.4f}"
        return Finding("adwin", "", effect, _DELTA, least, f"Stream: {words}.")
    return Finding("adwin", "", 0.0, 1.0, least, "Stream: the loss has one mean throughout.")


def _bounded(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Both series one after the other, brought to 0 to 1 by the range of the first."""
    low, high = float(ours.min()), float(np.quantile(ours, 0.99))
    high = high if high > low else max(float(ours.max()), float(theirs.max()), low + 1e-12)
    return np.clip((np.r_[ours, theirs] - low) / (high - low), 0, 1)


def _rises(detector: object, losses: np.ndarray, start: int) -> Iterator[int]:
    """Places (rows of the current window) where the detector cut its window because the later mean is higher."""
    before = float(losses[:start].mean())
    for place, loss in enumerate(losses):
        detector.update(float(loss))  # type: ignore[attr-defined]
        if detector.drift_detected and place >= start:  # type: ignore[attr-defined]
            width = int(detector.width)  # type: ignore[attr-defined]
            first = max(0, place + 1 - width - start)
            if losses[start + first : place + 1].mean() > before:
                yield min(first, len(losses) - start - 1)
