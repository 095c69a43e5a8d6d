"""Accuracy against learning time: every round of every trial was scored, so the frontier costs nothing.

A booster of 1,000 rounds contains those of 1, 2, … 999 (`num_iteration=k`), and a trial's curve has their values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.search.driving import counts

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.values import Trial

__all__ = ["Point", "fastest", "frontier", "more_search", "sentence"]


@dataclass(frozen=True)
class Point:
    """A trial cut to `rounds` boosting rounds: its objective, the seconds to get there, its share of the rounds.

    `latency` is the trial's own, ms for 1,000 rows, times that share; NaN where it was not measured.
    """

    trial: int
    rounds: int
    value: float
    seconds: float
    share: float
    latency: float = float("nan")


def frontier(trials: Sequence[Trial], metric: Metric) -> list[Point]:
    """The points that nothing faster beats, fastest first."""
    points = sorted((p for t in trials if counts(t) for p in _points(t)), key=lambda p: (p.seconds, p.rounds))
    best: list[Point] = []
    for point in points:
        if not best or metric.better(point.value, best[-1].value):
            best.append(point)
    return best


def _points(trial: Trial) -> list[Point]:
    grown = max((step for step, _ in trial.curve), default=0)
    seconds = trial.facts.get("fit_seconds", trial.seconds)
    last = trial.facts.get("rounds/0", float(grown)) or 1.0
    latency = trial.facts.get("predict_ms_per_1k_rows", float("nan"))
    return [
        Point(trial.number, r, v, seconds * r / grown, r / last, latency * r / last)
        for r, v in trial.curve
        if r <= last
    ]


def fastest(points: Sequence[Point], metric: Metric, within: float) -> Point:
    """The fastest point whose loss is at most `within` (a share) above the best one's."""
    limit = min(metric.loss(p.value) for p in points)
    return next(p for p in points if metric.loss(p.value) <= limit + within * abs(limit))


def sentence(points: Sequence[Point], metric: Metric, dummy: float | None, within: float = 0.005) -> str:
    """What a faster model would cost, for people; "" where there is nothing to say."""
    if len(points) < 2:
        return ""
    best, cut = points[-1], fastest(points, metric, within)
    if cut == best or dummy is None:
        return ""
    gain = metric.loss(dummy) - metric.loss(best.value)
    if gain <= 0 or best.seconds <= 0:
        return ""
    share = cut.latency / best.latency if best.latency else float("nan")
    latency = f" and {share:.0%} of its latency" if math.isfinite(share) else ""
    kept = (metric.loss(dummy) - metric.loss(cut.value)) / gain
    return (
        f"trial {cut.trial} cut to {cut.rounds} trees keeps {kept:.1%} of the gain over a constant at "
        f"{cut.seconds / best.seconds:.0%} of the best trial's training time{latency}; "
        f"search.pick=fastest search.within={within:g} takes it"
    )


def more_search(values: Sequence[float], metric: Metric) -> float:
    """What twice as many trials may be expected to gain at most: what the second half of these gained on average.

    The mean best of a random half, from the order statistics of all; for independent draws the gain of each doubling
    shrinks, so the last one bounds the next.
    """
    losses = sorted(metric.loss(v) for v in values)
    size = len(losses) // 2
    if size < 2:
        return float("nan")
    expected, none_before = 0.0, 1.0
    for rank, loss in enumerate(losses):
        left = len(losses) - rank
        chance = none_before * min(1.0, size / left)
        expected += chance * loss
        none_before *= max(0.0, 1 - size / left)
    return expected - losses[0]
