"""What the tests of single columns share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.base import Drift, Finding
from leaflab.drift.control import chance
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair
    from leaflab.drift.sketch import Sketch

__all__ = ["ColumnTest", "Least", "Rows", "chi_square", "effective", "folded", "level_counts"]

Least = Annotated[float, Field(ge=0)]
Rows = Annotated[int, Field(ge=2)]


@option
class ColumnTest(Drift):
    """A test that looks at one column at a time, through its two sketches.

    Args:
        min_rows: values needed on each side.
        least: effects below this are harmless.
    """

    min_rows: Rows = 50
    least: Least = 0.0

    @abstractmethod
    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        """Effect, p-value and the numbers in words (`0.31 standard deviations apart`)."""

    def enough(self, reference: Sketch, current: Sketch) -> int:
        """Values on the shorter side."""
        return min(reference.present, current.present)

    def compare(self, pair: Pair) -> Iterator[Finding]:
        for name, reference in pair.reference.columns.items():
            current = pair.current.columns.get(name)
            if reference.kind in self.kinds and current is not None:
                yield self._finding(name, reference, current)

    def _finding(self, name: str, reference: Sketch, current: Sketch) -> Finding:
        shorter = self.enough(reference, current)
        if shorter < self.min_rows:
            why = f"'{name}' has {shorter:,} values on one side, {self.name} needs {self.min_rows:,}."
            return Finding(self.name, name, float("nan"), float("nan"), self.least, why)
        effect, p_value, words = self.measure(reference, current)
        sentence = f"'{name}': {words} ({chance(p_value)})."
        return Finding(self.name, name, float(effect), float(min(1.0, p_value)), self.least, sentence)


def effective(n: int, m: int) -> float:
    """The sample size that governs a difference of two samples: n m / (n + m)."""
    return n * m / (n + m)


def chi_square(statistic: float, freedom: int) -> float:
    """Upper tail of the chi-square distribution; 1 where no freedom is left."""
    from scipy.special import chdtrc

    return float(chdtrc(freedom, max(0.0, statistic))) if freedom > 0 else 1.0


def folded(reference: np.ndarray, current: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring bins of a grid merged into about `parts` of equal weight in the reference, none too thin to count.

    A bin of its own keeps every value that holds more than one part's share; a thin end is merged inwards.
    """
    weight = reference / max(1, reference.sum())
    group = np.minimum((np.cumsum(weight) - weight / 2) * parts, parts - 1).astype(np.intp)
    group = np.unique(group, return_inverse=True)[1]
    size = int(group.max()) + 1
    pooled = np.bincount(group, reference + current, minlength=size)
    share = min(reference.sum(), current.sum()) / max(1.0, float((reference + current).sum()))
    merged, label, held = np.zeros(size, dtype=np.intp), 0, 0.0
    for i in range(size):
        merged[i] = label
        held += pooled[i]
        if held * share >= 5 and pooled[i + 1 :].sum() * share >= 5:
            label, held = label + 1, 0.0
    group = merged[group]
    return np.bincount(group, reference), np.bincount(group, current)


def level_counts(reference: Sketch, current: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Rows a level on both sides, levels expected fewer than five times on one side folded into one."""
    names = list(reference.levels | current.levels)
    ours = np.array([reference.levels[n] for n in names], dtype="float64")
    theirs = np.array([current.levels[n] for n in names], dtype="float64")
    share = min(ours.sum(), theirs.sum()) / max(1.0, ours.sum() + theirs.sum())
    thin = (ours + theirs) * share < 5
    if thin.any():
        ours = np.r_[ours[~thin], ours[thin].sum()]
        theirs = np.r_[theirs[~thin], theirs[thin].sum()]
    return ours, theirs
