"""Labels and data quality: shifted or doubtful labels, duplicates, freshness and volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.base import Finding
from leaflab.drift.control import chance
from leaflab.drift.missing import two_shares

if TYPE_CHECKING:
    from leaflab.watch.imagine import ErrorModel
    from leaflab.watch.scored import Scored

__all__ = ["doubtful_labels", "duplicates", "freshness", "volume"]

_DOUBT = 0.01


def doubtful_labels(model: ErrorModel | None, now: Scored, least: float = 0.005) -> Iterator[Finding]:
    """Rows whose given label the calibrated model holds for less than 1 % likely, against how many there should be."""
    from scipy.special import ndtr

    now = now.labelled
    if model is None or not model.classes or len(now) < 100:
        return
    chances = model.probabilities(now.scores)
    given = chances[np.arange(len(now)), now.truth.astype(np.intp)]
    found = int((given < _DOUBT).sum())
    each = np.where(chances < _DOUBT, chances, 0.0).sum(axis=1)
    expected, spread = float(each.sum()), float(np.sqrt((each * (1 - each)).sum() + 1.0))
    p_value = float(ndtr(-(found - 0.5 - expected) / spread))
    words = f"{found:,} of {len(now):,} labels are under 1 % likely, {expected:.1f} were to be expected"
    effect = max(0.0, (found - expected) / len(now))
    yield Finding("label_errors", "", effect, p_value, least, f"Labels: {words} ({chance(p_value)}).")


def duplicates(found: int, among: int, facts: Mapping[str, float], least: float = 0.02) -> Finding:
    """Rows that repeat another's id, against the share that the model's raw table had."""
    before, rows = int(facts.get("duplicates", 0)), max(1, int(facts.get("rows_in", 0)))
    if not among:
        return Finding("duplicates", "", float("nan"), float("nan"), least, "No rows to look for duplicates in.")
    share = found / among
    p_value = two_shares(before, rows, found, among) if share > before / rows else 1.0
    words = f"{share:.1%} of rows repeat another, was {before / rows:.1%}"
    return Finding("duplicates", "", max(0.0, share - before / rows), p_value, least, f"Duplicates: {words}.")


def freshness(newest: float | None, now: float, within: float | None) -> Iterator[Finding]:
    """Whether the newest row is recent enough; only where it was said what that means."""
    if within is None:
        return
    if newest is None:
        yield Finding("freshness", "", float("nan"), float("nan"), 1.0, "Freshness needs a time column (dataset.time).")
        return
    age = max(0.0, now - newest)
    words = f"the newest row is {age / 3600:,.1f} h old, at most {within / 3600:,.1f} h were expected"
    yield Finding("freshness", "", age / within, 0.0 if age > within else 1.0, 1.0, f"Freshness: {words}.")


def volume(rows: int, least: int | None, most: int | None) -> Iterator[Finding]:
    """Whether the window has as many rows as were expected; only where an expectation was declared."""
    if least is None and most is None:
        return
    low, high = least or 0, most if most is not None else float("inf")
    off = rows < low or rows > high
    expected = f"at least {low:,}" if most is None else f"{low:,} to {most:,}"
    words = f"{rows:,} rows, expected {expected}"
    yield Finding("volume", "", 1.0 if off else 0.0, 0.0 if off else 1.0, 1.0, f"Volume: {words}.")
