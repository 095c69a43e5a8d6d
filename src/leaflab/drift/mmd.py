"""Maximum mean discrepancy: are the mean embeddings of the two samples the same?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.base import Drift, Finding
from leaflab.drift.column import Least, Rows
from leaflab.drift.control import chance
from leaflab.drift.matrix import not_enough, scaled
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair

__all__ = ["MMD"]


@option
class MMD(Drift):
    """Maximum mean discrepancy (Gretton et al. 2012) with a Gaussian kernel, by random Fourier features.

    The kernel's width is the median distance of rows (Rahimi and Recht 2007 for the features). The p-value comes from
    permutations of the sides, and from a gamma distribution of their mean and variance beyond what these resolve. The
    effect is the discrepancy less its mean under permutation, 0 to about 1.

    Args:
        min_rows: sampled rows needed on each side.
        least: smaller effects are harmless.
        features: random features, half cosines and half sines.
        permutations: permutations of the sides.
    """

    name = "mmd"
    kinds = ("number", "level")
    joint = True
    min_rows: Rows = 100
    least: Least = 0.05
    features: Annotated[int, Field(ge=16, le=4096, multiple_of=2)] = 256
    permutations: Annotated[int, Field(ge=99, le=9999)] = 299

    def compare(self, pair: Pair) -> Iterator[Finding]:
        lacking = not_enough(self.name, pair, self.min_rows, self.least)
        if lacking:
            yield lacking
            return
        ours, theirs = scaled(pair)
        embedded = self._embedded(np.vstack([ours, theirs]).astype("float32"))
        observed, drawn = self._distances(embedded, len(ours))
        p_value = _tail(observed, drawn)
        effect = float(np.sqrt(max(0.0, observed - drawn.mean())))
        words = f"maximum mean discrepancy {effect:.3f} beyond chance"
        sentence = f"Together: {words} ({chance(p_value)}, {len(ours):,} and {len(theirs):,} rows)."
        yield Finding(self.name, "", effect, p_value, self.least, sentence)

    def _embedded(self, rows: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(0)
        some = rows[random.integers(0, len(rows), (2, 1000))]
        width = float(np.median(np.sqrt(np.square(some[0] - some[1]).sum(axis=1)))) or 1.0
        turns = rows @ (random.standard_normal((rows.shape[1], self.features // 2)) / width).astype("float32")
        return np.asarray(np.hstack([np.cos(turns), np.sin(turns)]) * np.float32(np.sqrt(2 / self.features)))

    def _distances(self, embedded: np.ndarray, n: int) -> tuple[float, np.ndarray]:
        """Squared distance of the two means, as they are and for permuted sides."""
        random, total = np.random.default_rng(1), embedded.sum(axis=0, dtype="float64")
        size, m = len(embedded), len(embedded) - n

        def apart(first: np.ndarray) -> np.ndarray:
            return np.asarray(np.square(first / n - (total - first) / m).sum(axis=-1))

        drawn = []
        for start in range(0, self.permutations, 50):
            signs = np.zeros((min(50, self.permutations - start), size), dtype="float32")
            for row in signs:
                row[random.permutation(size)[:n]] = 1
            drawn.append(apart((signs @ embedded).astype("float64")))
        return float(apart(embedded[:n].sum(axis=0, dtype="float64"))), np.concatenate(drawn)


def _tail(observed: float, drawn: np.ndarray) -> float:
    from scipy.special import gammaincc

    share = (1 + int((drawn >= observed).sum())) / (len(drawn) + 1)
    mean, variance = float(drawn.mean()), float(drawn.var())
    if share > 0.02 or variance == 0:
        return share
    return min(share, float(gammaincc(mean**2 / variance, observed * mean / variance)))
