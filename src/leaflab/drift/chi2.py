"""Pearson's chi-square: did the shares of the levels change?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least, chi_square, effective, level_counts
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["Chi2"]


@option
class Chi2(ColumnTest):
    """Chi-square test of homogeneity (Pearson 1900) of a category's levels, missing values left out.

    The effect is Cohen's w between the two distributions (0.1 small, 0.3 medium), which does not depend on how many
    rows each side has. Levels expected fewer than five times on one side are folded into one.
    """

    name = "chi2"
    kinds = ("level",)
    least: Least = 0.1

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        ours, theirs = level_counts(reference, current)
        total = ours + theirs
        some = total > 0
        p, q = ours / ours.sum(), theirs / theirs.sum()
        pooled = total[some] / total.sum()
        statistic = effective(int(ours.sum()), int(theirs.sum())) * float((np.square(p - q)[some] / pooled).sum())
        even = (p + q)[some] / 2
        effect = float(np.sqrt((np.square(p - q)[some] / even).sum()))
        words = f"{_most(reference, current)}, Cohen's w {effect:.3f}"
        return effect, chi_square(statistic, int(some.sum()) - 1), words


def _most(reference: Sketch, current: Sketch) -> str:
    moved = {
        level: current.levels[level] / current.present - reference.levels[level] / reference.present
        for level in reference.levels | current.levels
    }
    level = max(moved, key=lambda name: abs(moved[name]))
    before, now = reference.levels[level] / reference.present, current.levels[level] / current.present
    return f"{level!r} went from {before:.1%} to {now:.1%} of rows"
