"""Population stability index: how much the shares of ten reference bins moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.column import ColumnTest, Least, chi_square, effective, folded, level_counts
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["PSI"]


@option
class PSI(ColumnTest):
    """Population stability index: the sum of (q - p) ln(q / p) over bins of equal share, or over levels.

    Where nothing differs, PSI n m / (n + m) follows a chi-square with bins - 1 degrees of freedom (Yurdakul 2018); bins
    expected to hold fewer than five rows are folded. By custom 0.1 is a small and 0.25 a large change.

    Args:
        bins: bins of a number.
    """

    name = "psi"
    kinds = ("number", "level")
    least: Least = 0.1
    bins: Annotated[int, Field(ge=2, le=100)] = 10

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        if reference.kind == "level":
            ours, theirs = level_counts(reference, current)
        else:
            ours, theirs = folded(reference.counts, current.counts, self.bins)
        p = (ours + 0.5) / (ours.sum() + 0.5 * len(ours))
        q = (theirs + 0.5) / (theirs.sum() + 0.5 * len(theirs))
        index = float(((q - p) * np.log(q / p)).sum())
        statistic = index * effective(reference.present, current.present)
        return index, chi_square(statistic, len(ours) - 1), f"population stability index {index:.3f}"
