"""Drift or season: the same weeks, days or hours of the reference have the last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.base import Pair
from leaflab.drift.profile import batches_of, profile

if TYPE_CHECKING:
    from leaflab.drift.base import Drift
    from leaflab.watch.look import Known
    from leaflab.watch.signals import Signal
    from leaflab.watch.window import Window

__all__ = ["in_season", "phases"]

NEEDED = 200
_LEVEL = 0.01


def phases(times: np.ndarray, season: str) -> np.ndarray:
    """The hour of the day, the day of the week (0 is Monday) or the month of the year of each time."""
    stamps = times.astype("datetime64[s]")
    days = stamps.astype("datetime64[D]")
    if season == "day":
        return (stamps - days).astype("int64") // 3600
    if season == "week":
        return (days.astype("int64") + 3) % 7
    return stamps.astype("datetime64[M]").astype("int64") % 12


def in_season(
    found: list[Signal], known: Known, window: Window, tests: Mapping[str, Drift], season: str
) -> list[Signal]:
    """The signals, with drift that the reference shows in the same season marked harmless.

    Where the reference has fewer than 200 rows of the season, drift stays an alarm and says so.
    """
    asked = [s for s in found if s.alarm and s.family == "data"]
    if not asked or known.table is None or known.times is None or window.times is None:
        return found
    now = np.unique(phases(window.times[~np.isnan(window.times)], season))
    same = np.isin(phases(np.nan_to_num(known.times), season), now) & ~np.isnan(known.times)
    if same.sum() < NEEDED:
        why = f"the reference has no more than {int(same.sum())} rows of the same {season}'s season to compare with"
        return [replace(s, note=why) if s in asked else s for s in found]
    grids = {s.finding.column: known.profile.columns[s.finding.column] for s in asked}
    before = profile(batches_of(known.table.select(list(grids)).filter(same))(), grids, sample=1)
    return [_judged(s, Pair(before, window.profile), tests, season) if s in asked else s for s in found]


def _judged(signal: Signal, pair: Pair, tests: Mapping[str, Drift], season: str) -> Signal:
    test = tests.get(signal.finding.test)
    again = [f for f in test.compare(pair) if f.column == signal.finding.column] if test else []
    if not again or not again[0].applies or again[0].verdict(_LEVEL).outcome == "failed":
        return signal
    note = f"harmless: the same season of the {season} looked like this (effect {again[0].effect:.3g})"
    return replace(signal, severity="harmless", note=note)
