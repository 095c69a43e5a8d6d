"""How sure a metric is: bootstrap intervals over rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from leaflab.metric.all import score_all

if TYPE_CHECKING:
    from leaflab.values import Task

__all__ = ["intervals"]

_WORK = 2_000_000
_MOST, _LEAST = 400, 60


def intervals(
    task: Task,
    truth: np.ndarray,
    models: Mapping[str, np.ndarray],
    weight: np.ndarray | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, tuple[float, float]]]:
    """Model to metric to (low, high), and `model - first` for the difference of every further model to the first.

    Every model meets the same resamples (Poisson weights on rows), so that differences are paired by row.

    Assumption: rows are independent; groups or autocorrelation make the intervals too short. They are percentiles, one
    a metric: of twenty metrics one is expected to lie outside its 95 % interval.

    Args:
        task: the resolved task.
        truth: class codes or values, shape (rows,).
        models: name to scores, shape (rows, classes) or (rows,).
        weight: row weights, or None.
        level: share of resamples an interval holds.
        seed: of the resamples.
    """
    random, rows = np.random.default_rng(seed), len(truth)
    if not rows or not models:
        return {}
    first = next(iter(models))
    drawn: dict[str, dict[str, list[float]]] = {}
    for _ in range(int(np.clip(_WORK // rows, _LEAST, _MOST))):
        copies = random.poisson(1.0, rows) * (1.0 if weight is None else weight)
        if not copies.any():
            continue
        found = {name: score_all(task, truth, scores, copies) for name, scores in models.items()}
        for name in list(found)[1:]:
            found[f"{name} - {first}"] = {m: v - found[first][m] for m, v in found[name].items() if m in found[first]}
        for name, values in found.items():
            for metric, value in values.items():
                drawn.setdefault(name, {}).setdefault(metric, []).append(value)
    tails = [(1 - level) / 2, (1 + level) / 2]
    return {name: {m: _ends(values, tails) for m, values in metrics.items()} for name, metrics in drawn.items()}


def _ends(values: list[float], tails: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, tails)
    return float(low), float(high)
