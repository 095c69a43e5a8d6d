"""Realised performance: metrics with intervals, per window and slice, against rows the model had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.drift.base import Finding
from leaflab.drift.control import chance
from leaflab.watch.imagine import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.metric.base import Metric
    from leaflab.watch.scored import Scored

__all__ = ["estimated_drop", "realised", "realised_drop", "slices"]

NEEDED = 100
_RESAMPLES = 100
_ROWS = 20_000
_SLICE_ROWS = 50
_SLICES = 8
_LEVELS = 1000


def realised(metrics: Sequence[Metric], rows: Scored, seed: int = 0) -> dict[str, Estimate]:
    """Each metric on the labelled rows with a 95 % bootstrap interval; nothing below 100 of them."""
    rows = rows.labelled
    if len(rows) < NEEDED:
        return {}
    random = np.random.default_rng(seed)
    some = rows.sample(_ROWS, seed)
    shrink = np.sqrt(len(some) / len(rows))
    weights = [random.poisson(1.0, len(some)).astype("float64") for _ in range(_RESAMPLES)]
    found = {}
    for metric in metrics:
        value = metric.score(rows.truth, rows.scores)
        again = np.array([metric.score(some.truth, some.scores, w) for w in weights])
        again = again[np.isfinite(again)]
        if np.isfinite(value) and len(again) > 1:
            spread = float(again.std(ddof=1)) * shrink
            found[metric.name] = Estimate(value, value - 1.96 * spread, value + 1.96 * spread, spread)
    return found


def realised_drop(metric: Metric, before: Estimate | None, now: Estimate | None, least: float, rows: int) -> Finding:
    """Whether the realised loss exceeds that of the reference's unseen rows."""
    if before is None or now is None:
        why = f"{rows:,} rows have their truth, a realised {metric.name} needs {NEEDED}."
        return Finding("realised", metric.name, float("nan"), float("nan"), least, why)
    return _drop("realised", metric, before, now, least)


def estimated_drop(metric: Metric, before: Estimate | None, now: Estimate | None, least: float) -> Finding:
    """Whether the estimated loss exceeds that of the reference's unseen rows."""
    if before is None or now is None:
        why = f"An estimated {metric.name} needs 200 labelled rows that the model was not trained on."
        return Finding("estimated", metric.name, float("nan"), float("nan"), least, why)
    return _drop("estimated", metric, before, now, least)


def _drop(test: str, metric: Metric, before: Estimate, now: Estimate, least: float) -> Finding:
    from scipy.special import ndtr

    loss, known = metric.loss(now.value), metric.loss(before.value)
    error = float(np.hypot(before.spread, now.spread))
    p_value = float(ndtr(-(loss - known) / error)) if error > 0 else 1.0
    effect = max(0.0, loss / known - 1) if known > 0 else 0.0
    words = f"{test} {metric.name} {now.value:.4f} ({now.low:.4f} to {now.high:.4f}), was {before.value:.4f}"
    return Finding(
        test, metric.name, effect, p_value, least, f"{words}: {loss / known - 1:+.1%} loss ({chance(p_value)})."
    )


def slices(metric: Metric, before: Scored, now: Scored, least: float) -> Iterator[Finding]:
    """The same loss in slices of every column, where a loss of single rows exists: is it worse for some?

    Categories and numbers of few values are cut by their commonest values, other numbers by the reference's quartiles.
    """
    before, now = before.labelled, now.labelled
    if len(before) < NEEDED or len(now) < NEEDED:
        return
    ours, theirs = (metric.rowwise(side.truth, side.scores) for side in (before, now))
    if ours is None or theirs is None:
        return
    sign = 1.0 if metric.direction == "minimize" else -1.0
    for name in now.frame.columns:
        for where, here, there in _parts(before.frame[name], now.frame[name]):
            if min(here.sum(), there.sum()) >= _SLICE_ROWS:
                yield _slice(where, metric.name, sign * ours[here], sign * theirs[there], least)


def _parts(before: pd.Series[Any], now: pd.Series[Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Slices of one column: what to call them, and masks of both sides."""
    name = before.name
    if before.dtype.kind == "M":
        return
    if before.dtype.kind in "fiu" and before.nunique() > _SLICES:
        a, b = before.to_numpy("float64"), now.to_numpy("float64")
        ends = [-np.inf, *np.unique(np.nanquantile(a, [0.25, 0.5, 0.75])), np.inf]
        for low, high in pairwise(ends):
            words = f"{low:.4g} to {high:.4g}" if np.isfinite([low, high]).all() else ""
            words = words or (f"up to {high:.4g}" if np.isfinite(high) else f"above {low:.4g}")
            yield f"{name} is {words}", (a > low) & (a <= high), (b > low) & (b <= high)
    elif before.nunique() <= _LEVELS:
        for level in now.value_counts().index[:_SLICES]:
            text = f"{level:g}" if isinstance(level, float) else level
            yield f"{name} = {text}", (before == level).to_numpy("bool"), (now == level).to_numpy("bool")
    yield f"{name} is missing", before.isna().to_numpy(), now.isna().to_numpy()


def _slice(where: str, metric: str, before: np.ndarray, now: np.ndarray, least: float) -> Finding:
    from scipy.special import ndtr

    error = np.sqrt(before.var(ddof=1) / len(before) + now.var(ddof=1) / len(now))
    gap = float(now.mean() - before.mean())
    p_value = float(ndtr(-gap / error)) if error > 0 else 1.0
    effect = max(0.0, gap / abs(float(before.mean()))) if before.mean() else 0.0
    width = 1.96 * float(now.std(ddof=1)) / np.sqrt(len(now))
    value = f"{abs(now.mean()):.4f} ± {width:.4f}"
    words = f"where {where}: {metric} {value} in {len(now):,} rows, was {abs(before.mean()):.4f}"
    return Finding("slice", where, effect, p_value, least, f"{words} ({chance(p_value)}).")
