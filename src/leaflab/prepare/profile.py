"""What a dataset looks like, in numbers: one profile a column, over the three parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.values import PARTS

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["Profile", "profiles", "shares_of"]

_BINS = 24
_LEVELS = 12
_ROWS = 200_000
_TINY = 1e-4


@dataclass(frozen=True)
class Profile:
    """One column.

    Args:
        name, kind: the column and what it is.
        missing: part to share of missing values.
        distinct: different values in train.
        labels: what the bars stand for: levels, or the edges of bins.
        shares: part to the share of rows of each bar.
        shift: part to the population stability index against train (0.1 is small, 0.25 large).
        strength: what the column alone knows of the target (2 AUC - 1 or R², held-out rows); NaN for the target.
    """

    name: str
    kind: str
    missing: Mapping[str, float]
    distinct: int
    labels: Sequence[str]
    shares: Mapping[str, Sequence[float]]
    shift: Mapping[str, float]
    strength: float = float("nan")


def profiles(dataset: Dataset, seed: int = 0) -> list[Profile]:
    """The target's profile, then those of the features, the strongest first; drawn from at most 200,000 rows a part.

    How strong they are stands in `dataset.facts["strengths"]`, as the leak sentinels found it.
    """
    frames: dict[str, pd.DataFrame] = {part: _sampled(dataset, part, seed) for part in PARTS if dataset.rows(part)}
    strengths = dataset.facts.get("strengths", {})
    made = []
    for column in dataset.columns:
        strength = strengths.get(column.name, 0.0)
        made.append(_profile(column.name, column.kind, frames, max(strength, 0.0)))
    made.sort(key=lambda p: -p.strength)
    kind = "category" if dataset.classes else "number"
    return [_profile(dataset.target, kind, frames, float("nan")), *made]


def _sampled(dataset: Dataset, part: str, seed: int) -> pd.DataFrame:
    table = dataset.parts[part]
    if table.num_rows > _ROWS:
        table = table.take(np.sort(np.random.default_rng(seed).permutation(table.num_rows)[:_ROWS]))
    return table.to_pandas()


def _profile(name: str, kind: str, frames: Mapping[str, pd.DataFrame], strength: float) -> Profile:
    columns = {part: frame[name] for part, frame in frames.items()}
    missing = {part: float(values.isna().mean()) for part, values in columns.items()}
    labels, shares = shares_of(columns, kind)
    shift = {part: psi(shares["train"], share) for part, share in shares.items() if part != "train"}
    return Profile(name, kind, missing, int(columns["train"].nunique()), labels, shares, shift, strength)


def shares_of(columns: Mapping[str, pd.Series[Any]], kind: str) -> tuple[list[str], dict[str, list[float]]]:
    """Labels of the bars, and each part's share of rows in them; bins and levels are those of the first part."""
    first = next(iter(columns.values()))
    if kind in ("category", "text"):
        levels = [str(v) for v in first.astype("str").value_counts().index[:_LEVELS]]
        rest = "(others)"
        texts = {part: values.dropna().astype("str") for part, values in columns.items()}
        shares = {
            part: [float((t == level).mean()) if len(t) else 0.0 for level in levels] for part, t in texts.items()
        }
        return [*levels, rest], {part: [*s, max(0.0, 1.0 - sum(s))] for part, s in shares.items()}
    numbers = {part: _numbers(values) for part, values in columns.items()}
    train = numbers[next(iter(numbers))]
    if not len(train):
        return [], {part: [] for part in numbers}
    low, high = np.quantile(train, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    counted = {part: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] for part, v in numbers.items()}
    words = [_edge(e, first.dtype.kind == "M") for e in edges]
    return words, {part: [float(x) for x in c / max(1, c.sum())] for part, c in counted.items()}


def _numbers(values: pd.Series[Any]) -> np.ndarray:
    values = values.dropna()
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype("int64").to_numpy() / 1e6
    return values.to_numpy("float64")


def _edge(value: float, is_time: bool) -> str:
    return str(np.datetime64(int(value), "s")).replace("T", " ") if is_time else f"{value:.4g}"


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Population stability index of two lists of shares.

    >>> round(psi([0.5, 0.5], [0.5, 0.5]), 3), round(psi([0.5, 0.5], [0.9, 0.1]), 3)
    (0.0, 0.879)
    """
    one, other = (np.maximum(np.asarray(s, dtype="float64"), _TINY) for s in (expected, actual))
    return float(np.sum((other - one) * np.log(other / one)))
