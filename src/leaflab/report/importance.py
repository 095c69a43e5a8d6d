"""What a model looks at, and whether more rows would help it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.scorer.predictor import Boosters, Recalibrated

if TYPE_CHECKING:
    from leaflab.scorer import Scorer
    from leaflab.scorer.predictor import Predictor

__all__ = ["contributions", "permutation", "twins", "uncorrected"]

Loss = Callable[[np.ndarray, np.ndarray], float]


def contributions(scorer: Scorer, matrix: np.ndarray) -> dict[str, float]:
    """Feature to mean absolute contribution to the raw score (LightGBM's own TreeSHAP), largest first; {} for others.

    Args:
        scorer: the model.
        matrix: encoded rows, shape (rows, features); some hundred suffice.
    """
    base, _ = uncorrected(scorer.predictor)
    if not isinstance(base, Boosters) or not len(matrix):
        return {}
    names, total = scorer.encoder.names, np.zeros(len(scorer.encoder.names))
    for booster, weight in zip(base.boosters, base.weights, strict=True):
        given = np.abs(np.asarray(booster.predict(matrix, pred_contrib=True))).mean(axis=0)
        total += weight * given.reshape(-1, len(names) + 1)[:, :-1].sum(axis=0)
    return _sorted(names, total)


def permutation(
    scorer: Scorer, matrix: np.ndarray, truth: np.ndarray, loss: Loss, *, seed: int = 0
) -> dict[str, float]:
    """Feature to the loss that shuffling it adds, largest first; correlated features share and hide their worth.

    Args:
        scorer: the model.
        matrix: encoded rows, shape (rows, features).
        truth: of the same rows.
        loss: of truth and scores.
        seed: of the shuffles.
    """
    random = np.random.default_rng(seed)
    base = loss(truth, scorer.predictor.predict(matrix))
    added = np.zeros(matrix.shape[1])
    for position in range(matrix.shape[1]):
        shuffled = matrix.copy()
        shuffled[:, position] = matrix[random.permutation(len(matrix)), position]
        added[position] = loss(truth, scorer.predictor.predict(shuffled)) - base
    return _sorted(scorer.encoder.names, added)


def twins(
    scorer: Scorer,
    train: tuple[np.ndarray, np.ndarray],
    valid: np.ndarray,
    shares: Sequence[float] = (0.25, 0.5, 1.0),
    seed: int | None = None,
) -> dict[int, np.ndarray]:
    """Rows learnt from to scores on the validation rows, of this booster trained on growing shares of the train part.

    The model that ships may have learnt from the validation rows as well; these twins have not, so that thresholds,
    calibration and the learning curve can be read off rows that are new to them. The first booster's parameters and
    rounds are kept, and so is a recalibration. {} for models that are not boosters.

    Args:
        scorer: the model.
        train: encoded training rows and their truth.
        valid: encoded validation rows.
        shares: of the training rows.
        seed: instead of the booster's own; it also chooses the rows of a share.
    """
    base, corrected = uncorrected(scorer.predictor)
    if not isinstance(base, Boosters) or not len(valid):
        return {}
    import lightgbm

    booster = lightgbm.Booster(model_str=base.models[0])
    params = {**_plain(booster.params), "verbosity": -1, "num_threads": 0}
    if seed is not None:
        params["seed"] = seed
    order = np.random.default_rng(seed or 0).permutation(len(train[1]))
    seen = _seen(base.models[0])
    made = {}
    for share in shares:
        rows = np.sort(order[: max(20, int(len(order) * share))])
        learnt = np.where(seen, train[0][rows], np.nan)
        data = lightgbm.Dataset(learnt, train[1][rows], categorical_feature=scorer.encoder.categorical)
        scores = np.asarray(lightgbm.train(params, data, max(1, booster.current_iteration())).predict(valid))
        made[len(rows)] = corrected(np.column_stack([1 - scores, scores]) if scorer.task == "binary" else scores)
    return made


def _seen(text: str) -> np.ndarray:
    """Of each feature whether the booster of a text could look at it: one of fewer features never saw the last."""
    infos = next(line for line in text.split("\n") if line.startswith("feature_infos="))
    return np.array([word != "none" for word in infos.partition("=")[2].split(" ")])


def uncorrected(predictor: Predictor) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """What answers before a recalibration, and the correction of its answers; a twin is corrected like its model."""
    if isinstance(predictor, Recalibrated):
        return predictor.base, predictor.corrected
    return predictor, np.asarray


_KEPT = (
    "objective", "num_class", "learning_rate", "num_leaves", "max_depth", "min_data_in_leaf", "max_bin",
    "min_sum_hessian_in_leaf", "lambda_l1", "lambda_l2", "feature_fraction", "bagging_fraction", "bagging_freq",
    "feature_fraction_bynode", "data_sample_strategy", "min_gain_to_split", "cat_smooth", "cat_l2", "extra_trees",
    "path_smooth", "linear_tree", "seed",
)  # fmt: skip


def _plain(params: dict[str, object]) -> dict[str, object]:
    return {key: params[key] for key in _KEPT if key in params}


def _sorted(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {names[i]: float(values[i]) for i in np.argsort(-values, kind="stable")}
