"""A regularised linear model over imputed, standardised numbers and one-hot categories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ConfigError
from leaflab.model.base import Fold, Model, Problem
from leaflab.option import option

if TYPE_CHECKING:
    import numpy as np

    from leaflab.executor.base import Bench
    from leaflab.model.binning import Store
    from leaflab.scorer.predictor import Linear as Predicting
    from leaflab.scorer.predictor import Predictor

__all__ = ["Linear"]


@option
class Linear(Model):
    """Ridge regression, or logistic regression for classes.

    Args:
        alpha: weight of the squared coefficients against the mean loss; searched where the linear model is swept.
        max_rows: rows drawn at random to learn from.
        max_levels: the commonest categories of a column that get a coefficient; the others count as none.
    """

    alpha: Annotated[float, Field(gt=0)] = 1e-4
    max_rows: Annotated[int, Field(ge=100)] = 20_000
    max_levels: Annotated[int, Field(ge=1)] = 50

    def space(self, problem: Problem, default: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"alpha": {"low": 1e-6, "high": 10.0, "log": True}}

    def check(self, problem: Problem, values: Mapping[str, Sequence[Any]]) -> None:
        for name in values:
            if name != "alpha":
                raise ConfigError(f"`{name}`", "is no parameter of model=linear", hint="it has alpha")

    def bench(self, problem: Problem, folds: Sequence[Fold], folder: Path, bins: str) -> Bench:
        from leaflab.model.binning import Store
        from leaflab.model.plain import PlainBench

        Store.write(folder, problem, folds, bins)
        learner = _Regression(self, problem.categorical)
        return PlainBench(folder, learner, problem.task, problem.outputs, problem.metric, problem.score)

    def predictor(self, texts: Sequence[str], weights: Sequence[float]) -> Predictor:
        from leaflab.scorer.predictor import predictor_from

        return predictor_from(json.loads(texts[0]), {})


@dataclass(frozen=True)
class _Regression:
    option: Linear
    categorical: tuple[int, ...]

    def learn(self, store: Store, rows: np.ndarray, task: str, outputs: int, params: Mapping[str, Any]) -> Predictor:
        import numpy as np

        from leaflab.scorer.predictor import Linear as Predicting

        if len(rows) > self.option.max_rows:
            rows = np.sort(np.random.default_rng(0).choice(rows, self.option.max_rows, replace=False))
        matrix, target = np.asarray(store.seen({})[rows]), np.asarray(store.target[rows])
        weight = np.ones(len(rows)) if store.weight is None else np.asarray(store.weight[rows], dtype="float64")
        link = {"regression": "identity", "binary": "logistic", "multiclass": "softmax"}[task]
        empty = Predicting(tuple(self._blocks(matrix)), (), (), link)
        alpha = float(params.get("alpha", self.option.alpha))
        design = empty.design(matrix)
        if link == "identity":
            return _ridge(empty, design, target.astype("float64"), weight, alpha)
        return _logistic(empty, design, target.astype(np.intp), weight, (alpha, outputs))

    def _blocks(self, matrix: np.ndarray) -> list[dict[str, Any]]:
        import numpy as np

        blocks: list[dict[str, Any]] = []
        for position, values in enumerate(matrix.T):
            present = values[~np.isnan(values)]
            if position in self.categorical:
                levels = int(present.max()) + 1 if len(present) else 0
                blocks.append({"levels": min(levels, self.option.max_levels)})
            else:
                mean, scale = (float(present.mean()), float(present.std())) if len(present) else (0.0, 1.0)
                blocks.append({"mean": mean, "scale": scale if scale > 1e-12 * max(1.0, abs(mean)) else 1.0})
        return blocks


def _ridge(empty: Predicting, design: np.ndarray, target: np.ndarray, weight: np.ndarray, alpha: float) -> Predictor:
    """The closed form on centred columns; the intercept is free."""
    import numpy as np

    from leaflab.scorer.predictor import Linear as Predicting

    share = weight / weight.sum()
    centre, mean = share @ design, float(share @ target)
    moved = design - centre
    gram = moved.T @ (moved * share[:, None]) + alpha * np.eye(design.shape[1])
    coef = np.linalg.solve(gram, moved.T @ (share * (target - mean)))
    return Predicting(empty.blocks, (tuple(coef.tolist()),), (mean - float(centre @ coef),), empty.link)


def _logistic(
    empty: Predicting, design: np.ndarray, target: np.ndarray, weight: np.ndarray, how: tuple[float, int]
) -> Predictor:
    """Softmax regression by L-BFGS; two classes need one row of coefficients, the difference."""
    import numpy as np
    from scipy.optimize import minimize

    from leaflab.scorer.predictor import Linear as Predicting

    alpha, outputs = how
    share = weight / weight.sum()
    hot = np.zeros((len(target), outputs))
    hot[np.arange(len(target)), target] = 1.0
    width = design.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coef, intercept = flat[: outputs * width].reshape(outputs, width), flat[outputs * width :]
        raw = design @ coef.T + intercept
        raw -= raw.max(axis=1, keepdims=True)
        total = np.log(np.exp(raw).sum(axis=1))
        value = float(share @ (total - (raw * hot).sum(axis=1)) + alpha / 2 * (coef**2).sum())
        slope = (np.exp(raw - total[:, None]) - hot) * share[:, None]
        return value, np.concatenate([(slope.T @ design + alpha * coef).ravel(), slope.sum(axis=0)])

    found = minimize(loss, np.zeros(outputs * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
    coef, intercept = found[: outputs * width].reshape(outputs, width), found[outputs * width :]
    if empty.link == "logistic":
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    rows = tuple(tuple(row) for row in coef.tolist())
    return Predicting(empty.blocks, rows, tuple(intercept.tolist()), empty.link)
