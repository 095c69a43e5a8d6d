"""PCA reconstruction: do the current rows still lie in the directions the reference's rows span?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.base import Drift, Finding
from leaflab.drift.classifier import rank_test
from leaflab.drift.column import Least, Rows
from leaflab.drift.control import chance
from leaflab.drift.matrix import not_enough, scaled
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair

__all__ = ["Reconstruction"]


@option
class Reconstruction(Drift):
    """Principal components of half the reference's sample; errors of the other half and of the current rows compared.

    The components keep a stated share of the variance; the errors are ranked (Mann-Whitney, two-sided). The effect is
    the distance of the area from one half. It sees broken linear relations between numbers, not a shift along them.

    Args:
        min_rows: sampled rows needed on each side.
        least: smaller effects are harmless.
        keep: share of the variance kept.
    """

    name = "reconstruction"
    kinds = ("number", "level")
    joint = True
    min_rows: Rows = 200
    least: Least = 0.05
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.8

    def compare(self, pair: Pair) -> Iterator[Finding]:
        lacking = not_enough(self.name, pair, self.min_rows, self.least)
        if lacking:
            yield lacking
            return
        ours, theirs = scaled(pair)
        fitted, held = ours[::2], ours[1::2]
        centre = fitted.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(fitted - centre, rowvar=False).reshape(ours.shape[1], -1))
        shares = np.cumsum(values[::-1]) / max(values.sum(), 1e-300)
        base = vectors[:, ::-1][:, : max(1, min(int(np.searchsorted(shares, self.keep)) + 1, len(shares) - 1))]
        before, now = (_errors(rows - centre, base) for rows in (held, theirs))
        area, upper = rank_test(before, now)
        p_value = min(1.0, 2 * min(upper, 1 - upper))
        words = f"errors of {base.shape[1]} principal components went from {before.mean():.3g} to {now.mean():.3g}"
        sentence = f"Together: {words} ({chance(p_value)}, {len(ours):,} and {len(theirs):,} rows)."
        yield Finding(self.name, "", abs(area - 0.5), p_value, self.least, sentence)


def _errors(rows: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(rows - rows @ base @ base.T).sum(axis=1)))
