"""What a shift of one column does to the model: the reference's rows, asked again as if that column had shifted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer import Scorer
    from leaflab.watch.scored import Scored

__all__ = ["impacts", "importances", "spread_of"]


def spread_of(scores: np.ndarray) -> float:
    """Standard deviation of the answers (of all classes together); the unit of an impact."""
    return float(np.sqrt(np.square(scores - scores.mean(axis=0)).mean())) or 1.0


def impacts(scorer: Scorer, known: Scored, now: pd.DataFrame, columns: Iterable[str]) -> dict[str, float]:
    """How far the answers to the reference's rows move, in units of their spread, if one column were as it is now.

    Numbers are moved from their quantile among the reference's to the same quantile of the current values; categories
    change in as few rows as the new shares ask for; missing values come and go by their share. All else stays, so this
    is the effect of the column's own shift, without that of its relations to other columns.

    Args:
        scorer: the model.
        known: a sample of the reference's rows.
        now: the current rows, typed; a column it lacks counts as missing throughout.
        columns: the columns to ask for.
    """
    unit = spread_of(known.scores)
    found = {}
    for name in columns:
        if name in known.frame.columns:
            moved = known.frame.assign(**{name: _moved(known.frame[name], now.get(name))})
            scores = scorer.predictor.predict(scorer.encoder.encode(moved))
            found[name] = float(np.sqrt(np.square(scores - known.scores).mean())) / unit
    return found


def importances(scorer: Scorer, known: Scored) -> dict[str, float]:
    """How far the answers move, in units of their spread, when one column is shuffled."""
    unit, order = spread_of(known.scores), np.random.default_rng(0).permutation(len(known))
    found = {}
    for name in known.frame.columns:
        shuffled = known.frame.assign(**{name: known.frame[name].to_numpy()[order]})
        scores = scorer.predictor.predict(scorer.encoder.encode(shuffled))
        found[name] = float(np.sqrt(np.square(scores - known.scores).mean())) / unit
    return found


def _moved(known: pd.Series[Any], now: pd.Series[Any] | None) -> pd.Series[Any]:
    if now is None or not len(now):
        return known.where(np.zeros(len(known), dtype=bool))
    random = np.random.default_rng(0)
    number = known.dtype.kind in "fiuM"
    result = _by_quantile(known, now) if number else _by_share(known, now, random)
    before, after = float(known.isna().mean()), float(now.isna().mean())
    if after > before:
        gone = random.random(len(known)) < (after - before) / max(1e-12, 1 - before)
        result = result.mask(gone)
    return result


def _by_quantile(known: pd.Series[Any], now: pd.Series[Any]) -> pd.Series[Any]:
    present, values = known.notna().to_numpy(), np.sort(now.dropna().to_numpy())
    if not len(values) or not present.any():
        return known
    ours = known.to_numpy()[present]
    low, high = (np.searchsorted(np.sort(ours), ours, side=side) for side in ("left", "right"))
    place = (low + high) / 2 / len(ours)
    result = known.copy()
    result.iloc[np.flatnonzero(present)] = values[np.minimum((place * len(values)).astype(np.intp), len(values) - 1)]
    return result


def _by_share(known: pd.Series[Any], now: pd.Series[Any], random: np.random.Generator) -> pd.Series[Any]:
    before, after = known.value_counts(normalize=True), now.value_counts(normalize=True)
    levels = before.index.union(after.index)
    change = after.reindex(levels, fill_value=0.0) - before.reindex(levels, fill_value=0.0)
    gains = change[change > 0]
    if gains.empty:
        return known
    leave = (-change[change < 0] / before.reindex(change[change < 0].index)).to_dict()
    chance = known.map(leave).astype("float64").fillna(0.0).to_numpy()
    going = np.flatnonzero(random.random(len(known)) < chance)
    values = known.to_numpy(dtype=object).copy()
    values[going] = random.choice(gains.index.to_numpy(dtype=object), len(going), p=(gains / gains.sum()).to_numpy())
    return known.__class__(values, index=known.index).astype(known.dtype)
