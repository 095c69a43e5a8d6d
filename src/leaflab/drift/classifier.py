"""Classifier two-sample test: can a model tell the current rows from the reference's?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from leaflab.drift.base import Drift, Finding
from leaflab.drift.column import Least, Rows
from leaflab.drift.control import chance
from leaflab.drift.matrix import codes, not_enough
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair

__all__ = ["Classifier", "rank_test"]


def rank_test(low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """The chance that a value of `high` exceeds one of `low`, ties half, and its one-sided p-value (Mann-Whitney)."""
    from scipy.special import ndtr

    values = np.r_[low, high]
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    n, m, total = len(low), len(high), len(values)
    area = float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))
    ties = float((count.astype("float64") ** 3 - count).sum()) / (total * (total - 1))
    error = np.sqrt((total + 1 - ties) / (12 * n * m))
    return area, float(ndtr(-(area - 0.5) / error)) if error > 0 else 1.0


@option
class Classifier(Drift):
    """Classifier two-sample test (Lopez-Paz and Oquab 2017): LightGBM is trained to tell the sides apart.

    Half of a sample trains, the other half is ranked, and the other way round; the effect is the area under the ROC
    curve less one half, on rows the classifier has not seen, its p-value Mann-Whitney's, doubled for two halves. It
    sees changes of dependence that no single column shows.

    Args:
        min_rows: sampled rows needed on each side.
        least: smaller effects are harmless (0.05 is an area of 0.55).
        rounds: boosting rounds.
    """

    name = "classifier"
    kinds = ("number", "level")
    joint = True
    min_rows: Rows = 200
    least: Least = 0.05
    rounds: Annotated[int, Field(ge=1, le=1000)] = 40

    def compare(self, pair: Pair) -> Iterator[Finding]:
        lacking = not_enough(self.name, pair, self.min_rows, self.least)
        if lacking:
            yield lacking
            return
        ours, theirs, names, levels = codes(pair)
        halves = [self._half(ours, theirs, levels, fold) for fold in (0, 1)]
        area = float(np.mean([half[0] for half in halves]))
        p_value = min(1.0, 2 * min(half[1] for half in halves))
        gains = np.sum([half[2] for half in halves], axis=0)
        telling = ", ".join(f"'{names[i]}'" for i in np.argsort(-gains)[:3] if gains[i] > 0)
        words = (
            f"a classifier tells the current rows apart with area {area:.3f}{f', by {telling}' if area >= 0.55 else ''}"
        )
        sentence = f"Together: {words} ({chance(p_value)}, {len(ours):,} and {len(theirs):,} rows)."
        yield Finding(self.name, "", max(0.0, area - 0.5), p_value, self.least, sentence)

    def _half(
        self, ours: np.ndarray, theirs: np.ndarray, levels: list[int], fold: int
    ) -> tuple[float, float, np.ndarray]:
        import lightgbm

        rows, side = np.vstack([ours, theirs]), np.r_[np.zeros(len(ours)), np.ones(len(theirs))]
        held = np.random.default_rng(0).permutation(len(rows)) % 2 == fold
        weight = np.where(side == 1, len(ours), len(theirs)) / len(rows)
        data = lightgbm.Dataset(
            rows[~held],
            side[~held],
            weight=weight[~held],
            categorical_feature=levels,
            params={"verbose": -1, "max_bin": 63},
        )
        params = {
            "objective": "binary",
            "num_leaves": 15,
            "learning_rate": 0.1,
            "min_data_in_leaf": 50,
            "lambda_l2": 5.0,
            "cat_smooth": 20.0,
            "max_bin": 63,
            "verbose": -1,
            "seed": 0,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
        }
        booster = lightgbm.train(params, data, num_boost_round=self.rounds)
        answers = np.asarray(booster.predict(rows[held]))
        area, p_value = rank_test(answers[side[held] == 0], answers[side[held] == 1])
        return area, p_value, np.asarray(booster.feature_importance("gain"))
