"""Which features are worth keeping: those that gain more from the true target than from any shuffled one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lightgbm import Booster
    from numpy.typing import NDArray

__all__ = ["distinct", "small_booster", "worth_keeping"]

_ROWS, _ROUNDS, _SHUFFLES, _PATIENCE = 20_000, 60, 5, 10


def worth_keeping(
    matrix: NDArray[np.float64], target: NDArray[np.float64], outputs: int, categorical: list[int], seed: int = 0
) -> NDArray[np.bool_]:
    """Null importances (Altmann and others 2010): a feature stays if its gain tops that under every shuffled target.

    With five shuffles a feature of pure noise stays once in six times; that errs on the side of keeping.

    Args:
        matrix: training rows, shape (rows, features).
        target: class codes or values, shape (rows,).
        outputs: 1 for regression, else the number of classes.
        categorical: positions of category codes.
        seed: of the sample and the shuffles.
    """
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(matrix))[:_ROWS])
    x, y = matrix[rows], target[rows]

    def gained(labels: NDArray[np.float64]) -> NDArray[np.float64]:
        return small_booster(x, labels, outputs, categorical, seed=seed).feature_importance("gain")

    true = gained(y)
    null = np.max([gained(random.permutation(y)) for _ in range(_SHUFFLES)], axis=0)
    kept = np.asarray(true > null)
    kept[int(np.argmax(true))] = True
    return kept


def distinct(values: NDArray[np.float64]) -> int:
    """How many values a column has, missing ones aside."""
    return len(np.unique(values[~np.isnan(values)]))


def small_booster(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    outputs: int,
    categorical: list[int],
    rounds: int = _ROUNDS,
    held: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    **params: Any,
) -> Booster:
    """A booster of small trees that learnt the mean, or the probabilities of classes (of class 1 where there are two).

    It stops early where there are rows held out for that, `held`; `params` are LightGBM's own.

    One thread, because workers may be forked from this process, and OpenMP's threads do not outlive a fork.
    """
    import lightgbm

    kinds: dict[int, dict[str, Any]] = {1: {"objective": "regression"}, 2: {"objective": "binary"}}
    kind = kinds.get(outputs, {"objective": "multiclass", "num_class": outputs})
    fixed = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True, "num_leaves": 15}
    data = lightgbm.Dataset(x, y, categorical_feature=categorical)
    judges = [data.create_valid(*held)] if held else []
    stopping = [lightgbm.early_stopping(_PATIENCE, verbose=False)] if held else []
    return lightgbm.train({**kind, **fixed, **params}, data, rounds, valid_sets=judges, callbacks=stopping)
