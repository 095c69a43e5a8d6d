"""New and vanished categories: levels that only one side has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.column import ColumnTest, Least
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.sketch import Sketch

__all__ = ["Categories"]


@option
class Categories(ColumnTest):
    """Levels that the reference has never seen, and levels that are gone, beyond what rare levels do by chance.

    Where nothing differs, a level seen c times in all lies wholly on a side with share s with chance s^c; the number of
    such levels is compared with a Poisson distribution of their sum (an upper bound for a sum of unequal indicators).
    The effect is the share of rows in them, of the current rows for new levels, of the reference's for vanished ones.
    """

    name = "categories"
    kinds = ("level",)
    least: Least = 0.005

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        new = current.levels.keys() - reference.levels.keys()
        gone = reference.levels.keys() - current.levels.keys()
        share = current.present / (reference.present + current.present)
        counts = np.array([*(reference.levels + current.levels).values()], dtype="float64")
        new_p, gone_p = _chance(len(new), share, counts), _chance(len(gone), 1 - share, counts)
        new_share = sum(current.levels[level] for level in new) / current.present
        gone_share = sum(reference.levels[level] for level in gone) / reference.present
        p_value = min(1.0, 2 * min(new_p, gone_p))
        if reference.full or current.full:
            return 0.0, 1.0, "more levels than are counted"
        if not new and not gone:
            return 0.0, 1.0, "the same levels as before"
        if new_p <= gone_p:
            return new_share, p_value, f"{_few(new, 'new level')} in {new_share:.1%} of rows"
        return gone_share, p_value, f"{_few(gone, 'level')} gone, once in {gone_share:.1%} of rows"


def _chance(found: int, share: float, counts: np.ndarray) -> float:
    from scipy.special import pdtrc

    return float(pdtrc(found - 1, float((share**counts).sum()))) if found else 1.0


def _few(levels: set[str], noun: str) -> str:
    named = ", ".join(repr(level) for level in sorted(levels)[:3])
    return f"{len(levels)} {noun}{'s' if len(levels) > 1 else ''} ({named}{', …' if len(levels) > 3 else ''})"
