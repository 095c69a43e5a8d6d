"""Parts of a table where a model does worse than elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer import Column

__all__ = ["Slice", "SliceLoss", "find_slices", "holm", "slice_losses"]

_BINS = 4
_LEVELS = 20


@dataclass(frozen=True)
class Slice:
    """Some rows with a name people understand: `colour = red`, `0.5 ≤ x < 2`, `age is missing`."""

    column: str
    name: str
    mask: np.ndarray


@dataclass(frozen=True)
class SliceLoss:
    """A slice's loss beside that of the other rows.

    Args:
        column, name: the slice.
        rows: how many rows it has.
        loss, rest: mean loss inside and outside.
        p: chance of a gap like this or larger where there is none (Welch's test, one-sided).
        adjusted: the same after Holm's correction for the number of slices looked at.
        skill, rest_skill: share of a reference model's loss that is taken off, inside and outside; rows that are hard
            for every model have a high loss and an ordinary skill.
    """

    column: str
    name: str
    rows: int
    loss: float
    rest: float
    p: float
    adjusted: float
    skill: float = 0.0
    rest_skill: float = 0.0

    @property
    def excess(self) -> float:
        """Loss a row of the slice beyond that of the other rows."""
        return self.loss - self.rest


def find_slices(frame: pd.DataFrame, columns: Iterable[Column], *, least: int = 30) -> list[Slice]:
    """The slices of a typed table: categories, quantiles, periods of time and missing values.

    Args:
        frame: typed rows.
        columns: the columns to slice by.
        least: rows a slice must have, inside and outside.
    """
    made = [s for column in columns if column.kind != "text" for s in _of_column(frame[column.name], column)]
    return [s for s in made if least <= s.mask.sum() <= len(frame) - least]


def _of_column(values: pd.Series, column: Column) -> Iterator[Slice]:
    name, gone = column.name, values.isna().to_numpy()
    if gone.any():
        yield Slice(name, f"{name} is missing", gone)
    if column.kind == "category":
        for level in values.value_counts().index[:_LEVELS]:
            yield Slice(name, f"{name} = {level}", (values == level).to_numpy())
    elif column.kind == "boolean":
        for truth in (True, False):
            yield Slice(name, f"{name} = {str(truth).lower()}", (values == float(truth)).to_numpy())
    else:
        yield from _of_quantiles(values, column)


def _of_quantiles(values: pd.Series, column: Column) -> Iterator[Slice]:
    present = values.dropna()
    if present.nunique() < 2:
        return
    edges = sorted(set(present.quantile(np.linspace(0, 1, _BINS + 1), interpolation="lower")))
    if present.nunique() <= _BINS:
        for value in sorted(present.unique()):
            yield Slice(column.name, f"{column.name} = {_said(value, column)}", (values == value).to_numpy())
        return
    for low, high in pairwise(edges):
        last = high == edges[-1]
        mask = ((values >= low) & ((values <= high) if last else (values < high))).to_numpy()
        sign = "≤" if last else "<"
        yield Slice(column.name, f"{_said(low, column)} ≤ {column.name} {sign} {_said(high, column)}", mask)


def _said(value: object, column: Column) -> str:
    return f"{value:%Y-%m-%d}" if column.kind == "time" else f"{value:.4g}"


def slice_losses(
    slices: Sequence[Slice],
    loss: np.ndarray,
    weight: np.ndarray | None = None,
    reference: np.ndarray | None = None,
) -> list[SliceLoss]:
    """Slices by how surely they are worse than the rest, surest first; pairs of the worst six are looked at as well.

    The p-values are of Welch's test on mean losses (normal approximation: at least 30 rows on each side), corrected by
    Holm for every slice looked at; the choice of pairs by their singles makes theirs a little too small.

    Args:
        slices: what to look at.
        loss: each row's loss, shape (rows,).
        weight: row weights, or None.
        reference: each row's loss under a simple model, or None.
    """
    weights = np.ones(len(loss)) if weight is None else weight
    singles = [(s, *_welch(s.mask, loss, weights)) for s in slices]
    worst = [s for s, _, _, p in sorted(singles, key=lambda found: found[3])[:6] if p < 0.05]
    pairs = [
        Slice(f"{a.column}, {b.column}", f"{a.name} and {b.name}", a.mask & b.mask)
        for a, b in combinations(worst, 2)
        if a.column != b.column and (a.mask & b.mask).sum() >= 30
    ]
    found = singles + [(s, *_welch(s.mask, loss, weights)) for s in pairs]
    adjusted = holm([p for *_, p in found])
    kept: list[tuple[Slice, SliceLoss]] = []
    for place in sorted(range(len(found)), key=lambda i: (adjusted[i], found[i][3], found[i][2] - found[i][1])):
        s, inside, outside, p = found[place]
        if any(_alike(s.mask, other.mask) for other, _ in kept):
            continue
        skills = [_skill(loss, reference, weights, m) for m in (s.mask, ~s.mask)] if reference is not None else (0, 0)
        kept.append((s, SliceLoss(s.column, s.name, int(s.mask.sum()), inside, outside, p, adjusted[place], *skills)))
    return [lost for _, lost in kept]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether nine tenths of the rows of either are rows of both."""
    return bool((one & other).sum() > 0.9 * (one | other).sum())


def _skill(loss: np.ndarray, reference: np.ndarray, weights: np.ndarray, mask: np.ndarray) -> float:
    simple = float((weights * reference)[mask].sum())
    return 1.0 - float((weights * loss)[mask].sum()) / simple if simple > 0 else 0.0


def _welch(mask: np.ndarray, loss: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Mean inside, mean outside, one-sided p-value."""
    from statistics import NormalDist

    (inside, spread), (outside, around) = (_mean(loss[m], weights[m]) for m in (mask, ~mask))
    error = np.sqrt(spread + around)
    return inside, outside, 1.0 - NormalDist().cdf((inside - outside) / error) if error > 0 else 1.0


def _mean(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Weighted mean and the square of its standard error."""
    mean = float(np.average(values, weights=weights))
    return mean, float((weights**2 * (values - mean) ** 2).sum() / weights.sum() ** 2)


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected by Holm's step-down method: their family's error rate is held without any assumption.

    >>> [round(q, 3) for q in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    highest = 0.0
    for rank, position in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[position]))
        adjusted[position] = highest
    return [float(q) for q in adjusted]
