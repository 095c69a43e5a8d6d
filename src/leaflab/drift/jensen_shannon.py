"""Jensen and Shannon: how far both distributions are from their mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.column import ColumnTest, Least, chi_square, effective, folded, level_counts
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["JensenShannon"]


@option
class JensenShannon(ColumnTest):
    """Jensen-Shannon distance (Lin 1991): 0 for equal distributions, 1 where they share nothing.

    Where nothing differs, 8 n m / (n + m) times the divergence in nats follows a chi-square with bins - 1 degrees of
    freedom; bins expected to hold fewer than five rows are folded.

    Args:
        bins: bins of a number.
    """

    name = "jensen_shannon"
    kinds = ("number", "level")
    least: Least = 0.1
    bins: Annotated[int, Field(ge=2, le=200)] = 30

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        if reference.kind == "level":
            ours, theirs = level_counts(reference, current)
        else:
            ours, theirs = folded(reference.counts, current.counts, self.bins)
        p, q = ours / ours.sum(), theirs / theirs.sum()
        mixture = (p + q) / 2
        nats = (_against(p, mixture) + _against(q, mixture)) / 2
        length = float(np.sqrt(max(0.0, nats / np.log(2))))
        statistic = 8 * nats * effective(reference.present, current.present)
        return length, chi_square(statistic, int((mixture > 0).sum()) - 1), f"Jensen-Shannon distance {length:.3f}"


def _against(p: np.ndarray, mixture: np.ndarray) -> float:
    some = p > 0
    return float((p[some] * np.log(p[some] / mixture[some])).sum())
