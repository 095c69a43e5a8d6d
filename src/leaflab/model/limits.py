"""Which values LightGBM's parameters take, as its own checks say, so that a sweep is refused before its first trial."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from leaflab.errors import ConfigError

__all__ = ["LIMITS", "OBJECTIVES", "SWITCHES", "WHOLE", "WORDS", "refuse", "refuse_objectives"]

WHOLE = frozenset([
    "bagging_freq", "bagging_seed", "bin_construct_sample_cnt", "data_random_seed", "drop_seed", "extra_seed",
    "feature_fraction_seed", "gpu_device_id", "gpu_platform_id", "lambdarank_truncation_level", "max_bin",
    "max_cat_threshold", "max_cat_to_onehot", "max_depth", "max_drop", "metric_freq", "min_data_in_bin",
    "min_data_in_leaf", "min_data_per_group", "multi_error_top_k", "num_gpu", "num_grad_quant_bins", "num_leaves",
    "objective_seed", "snapshot_freq", "top_k", "verbosity",
])  # fmt: skip
"""Parameters that are whole numbers."""

SWITCHES = frozenset([
    "bagging_by_query", "boost_from_average", "deterministic", "enable_bundle", "extra_trees", "feature_pre_filter",
    "first_metric_only", "force_col_wise", "force_row_wise", "gpu_use_dp", "is_enable_sparse",
    "is_provide_training_metric", "is_unbalance", "lambdarank_norm", "linear_tree", "pairs", "quant_train_renew_leaf",
    "reg_sqrt", "stochastic_rounding", "uniform_drop", "use_missing", "use_quantized_grad", "xgboost_dart_mode",
    "zero_as_missing",
])  # fmt: skip
"""Parameters that are true or false, leaflab's own `pairs` among them."""

_RULES: Sequence[tuple[str, Callable[[float], bool], str]] = (
    (
        "above 0 and at most 1",
        lambda value: 0 < value <= 1,
        "bagging_fraction feature_fraction feature_fraction_bynode neg_bagging_fraction pos_bagging_fraction",
    ),
    ("from 0 to 1", lambda value: 0 <= value <= 1, "drop_rate other_rate refit_decay_rate skip_drop top_rate"),
    (
        "above 0",
        lambda value: value > 0,
        "alpha bin_construct_sample_cnt fair_c lambdarank_truncation_level learning_rate max_cat_threshold"
        " max_cat_to_onehot metric_freq min_data_in_bin min_data_per_group multi_error_top_k num_gpu"
        " poisson_max_delta_step scale_pos_weight sigmoid top_k",
    ),
    (
        "0 or more",
        lambda value: value >= 0,
        "cat_l2 cat_smooth cegb_penalty_split cegb_tradeoff early_stopping_min_delta lambda_l1 lambda_l2"
        " lambdarank_position_bias_regularization linear_lambda min_data_in_leaf min_gain_to_split"
        " min_sum_hessian_in_leaf monotone_penalty path_smooth",
    ),
    ("2 or more", lambda value: value >= 2, "max_bin"),
    ("from 2 to 131072", lambda value: 2 <= value <= 131072, "num_leaves"),
    ("from 1 to below 2", lambda value: 1 <= value < 2, "tweedie_variance_power"),
)
LIMITS: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    name: (rule, holds) for rule, holds, names in _RULES for name in names.split()
}
"""What a number must be, in words, and whether it is."""

WORDS: Mapping[str, Sequence[str]] = {
    "boosting": ("gbdt", "gbrt", "dart", "goss", "rf", "random_forest"),
    "data_sample_strategy": ("bagging", "goss"),
}
"""Parameters that are one of a few words."""

OBJECTIVES: Mapping[str, Sequence[str]] = {
    "binary": ("binary", "cross_entropy", "xentropy"),
    "multiclass": ("multiclass", "softmax"),
    "regression": (
        "regression", "regression_l2", "l2", "mean_squared_error", "mse", "l2_root", "root_mean_squared_error", "rmse",
        "regression_l1", "l1", "mean_absolute_error", "mae", "huber", "fair", "poisson", "quantile", "mape",
        "mean_absolute_percentage_error", "gamma", "tweedie",
    ),
}  # fmt: skip
"""Objectives by task whose answers are probabilities that sum to 1, or the target in its unit."""

_ON_OR_OFF = {"true", "false", "+", "-"}


def refuse(values: Mapping[str, Sequence[Any]]) -> None:
    """Refuses what LightGBM would in every trial that draws it; None stands for its default.

    Args:
        values: parameters by their own names, and the values each may take.

    Raises:
        ConfigError: names the parameter, what it must be, and the value.

    >>> refuse({"num_leaves": [7, 31], "bagging_fraction": [0.5, 1.5]})
    Traceback (most recent call last):
    leaflab.errors.ConfigError: `bagging_fraction` must be above 0 and at most 1, got 1.5.
    """
    for name, candidates in values.items():
        for value in candidates:
            if value is not None and (rule := _broken(name, value)):
                raise ConfigError(f"`{name}`", f"must be {rule}", got=value)


def refuse_objectives(task: str, objectives: Iterable[Any]) -> None:
    """Refuses objectives that are unknown or of another task.

    >>> refuse_objectives("regression", ["regression", "huber", "hubber"])
    Traceback (most recent call last):
    leaflab.errors.ConfigError: `objective` must be one for regression, got 'hubber': did you mean huber?
    """
    for objective in objectives:
        if objective is not None and objective not in OBJECTIVES[task]:
            near = difflib.get_close_matches(str(objective), OBJECTIVES[task], n=1) or OBJECTIVES[task][:1]
            raise ConfigError("`objective`", f"must be one for {task}", got=objective, hint=f"did you mean {near[0]}?")


def _broken(name: str, value: Any) -> str:
    """What the parameter must be and the value is not."""
    if name in SWITCHES:
        return "" if str(value).lower() in _ON_OR_OFF else "true or false"
    if name in WORDS:
        return "" if str(value).lower() in WORDS[name] else ", ".join(WORDS[name][:-1]) + f" or {WORDS[name][-1]}"
    if name not in WHOLE and name not in LIMITS:
        return ""
    number = _number(value)
    if name in WHOLE and (number is None or not number.is_integer() or "." in str(value)):
        return "a whole number"
    rule, holds = LIMITS.get(name, ("a number", lambda number: True))
    return rule if number is None or not holds(number) else ""


def _number(value: Any) -> float | None:
    """As LightGBM reads it: a text of digits too, but no truth value."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
