"""The constant answer: what every model must beat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError
from leaflab.model.base import Fold, Model, Problem
from leaflab.option import option

if TYPE_CHECKING:
    import numpy as np

    from leaflab.executor.base import Bench
    from leaflab.model.binning import Store
    from leaflab.scorer.predictor import Predictor

__all__ = ["Dummy"]


@option
class Dummy(Model):
    """Class shares, or the mean (the median where the metric is a mean of absolute errors)."""

    def space(self, problem: Problem, default: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def check(self, problem: Problem, values: Mapping[str, Sequence[Any]]) -> None:
        for name in values:
            raise ConfigError(f"`{name}`", "is no parameter of model=dummy, which has none")

    def bench(self, problem: Problem, folds: Sequence[Fold], folder: Path, bins: str) -> Bench:
        from leaflab.model.binning import Store
        from leaflab.model.plain import PlainBench

        Store.write(folder, problem, folds, bins)
        learner = _Constant(problem.metric.name)
        return PlainBench(folder, learner, problem.task, problem.outputs, problem.metric, problem.score)

    def predictor(self, texts: Sequence[str], weights: Sequence[float]) -> Predictor:
        from leaflab.scorer.predictor import predictor_from

        return predictor_from(json.loads(texts[0]), {})


class _Constant:
    def __init__(self, metric: str) -> None:
        self.metric = metric

    def learn(self, store: Store, rows: np.ndarray, task: str, outputs: int, params: Mapping[str, Any]) -> Predictor:
        import numpy as np

        from leaflab.scorer.predictor import Constant

        target = np.asarray(store.target[rows])
        weight = None if store.weight is None else np.asarray(store.weight[rows])
        if task != "regression":
            shares = np.bincount(target.astype(np.intp), weights=weight, minlength=outputs) + 1e-6
            return Constant(tuple(float(s) for s in shares / shares.sum()))
        if self.metric in ("mae", "mape"):
            return Constant((float(np.median(target)),))
        return Constant((float(np.average(target, weights=weight)),))
