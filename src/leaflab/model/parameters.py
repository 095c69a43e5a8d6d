"""LightGBM's parameters by name: which exist, which belong to the binned data and which to a booster."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from leaflab.errors import ConfigError
from leaflab.model.limits import refuse

__all__ = [
    "ALIASES",
    "DATASET",
    "DEFAULTS",
    "MORE",
    "NAMES",
    "OURS",
    "canonical",
    "check",
    "divided",
    "lightgbms",
]

DATASET = frozenset(
    [
        "bin_construct_sample_cnt",
        "data_random_seed",
        "enable_bundle",
        "feature_pre_filter",
        "forcedbins_filename",
        "is_enable_sparse",
        "linear_tree",
        "max_bin",
        "max_bin_by_feature",
        "min_data_in_bin",
        "use_missing",
        "zero_as_missing",
    ]
)
"""Parameters that change how data are binned: a different value needs another binned dataset."""

NAMES = DATASET | frozenset(
    [
        "alpha",
        "auc_mu_weights",
        "bagging_by_query",
        "bagging_fraction",
        "bagging_freq",
        "bagging_seed",
        "boost_from_average",
        "boosting",
        "cat_l2",
        "cat_smooth",
        "cegb_penalty_feature_coupled",
        "cegb_penalty_feature_lazy",
        "cegb_penalty_split",
        "cegb_tradeoff",
        "deterministic",
        "device_type",
        "drop_rate",
        "drop_seed",
        "early_stopping_min_delta",
        "early_stopping_round",
        "extra_seed",
        "extra_trees",
        "fair_c",
        "feature_contri",
        "feature_fraction",
        "feature_fraction_bynode",
        "feature_fraction_seed",
        "first_metric_only",
        "force_col_wise",
        "force_row_wise",
        "forcedsplits_filename",
        "gpu_device_id",
        "gpu_platform_id",
        "gpu_use_dp",
        "histogram_pool_size",
        "interaction_constraints",
        "is_provide_training_metric",
        "is_unbalance",
        "label_gain",
        "lambda_l1",
        "lambda_l2",
        "lambdarank_norm",
        "lambdarank_position_bias_regularization",
        "lambdarank_truncation_level",
        "learning_rate",
        "linear_lambda",
        "max_cat_threshold",
        "max_cat_to_onehot",
        "max_delta_step",
        "max_depth",
        "max_drop",
        "metric",
        "metric_freq",
        "min_data_in_leaf",
        "min_data_per_group",
        "min_gain_to_split",
        "min_sum_hessian_in_leaf",
        "monotone_constraints",
        "monotone_constraints_method",
        "monotone_penalty",
        "multi_error_top_k",
        "neg_bagging_fraction",
        "num_class",
        "num_gpu",
        "num_grad_quant_bins",
        "num_iterations",
        "num_leaves",
        "num_threads",
        "objective",
        "objective_seed",
        "other_rate",
        "path_smooth",
        "poisson_max_delta_step",
        "pos_bagging_fraction",
        "quant_train_renew_leaf",
        "refit_decay_rate",
        "reg_sqrt",
        "scale_pos_weight",
        "seed",
        "sigmoid",
        "skip_drop",
        "snapshot_freq",
        "stochastic_rounding",
        "top_k",
        "top_rate",
        "tweedie_variance_power",
        "uniform_drop",
        "use_quantized_grad",
        "verbosity",
        "xgboost_dart_mode",
        "data_sample_strategy",
        "bagging_by_query",
    ]
)

MORE = frozenset({"pairs"})
"""leaflab's own, of the binned data like `DATASET`: whether a booster sees the features made of pairs of columns."""

ALIASES: Mapping[str, str] = {
    "n_estimators": "num_iterations",
    "num_boost_round": "num_iterations",
    "num_trees": "num_iterations",
    "shrinkage_rate": "learning_rate",
    "eta": "learning_rate",
    "num_leaf": "num_leaves",
    "max_leaves": "num_leaves",
    "min_child_samples": "min_data_in_leaf",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "min_split_gain": "min_gain_to_split",
    "colsample_bytree": "feature_fraction",
    "sub_feature": "feature_fraction",
    "colsample_bynode": "feature_fraction_bynode",
    "subsample": "bagging_fraction",
    "sub_row": "bagging_fraction",
    "bagging": "bagging_fraction",
    "subsample_freq": "bagging_freq",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "lambda": "lambda_l2",
    "boosting_type": "boosting",
    "boost": "boosting",
    "max_bins": "max_bin",
    "extra_tree": "extra_trees",
    "unbalance": "is_unbalance",
    "random_state": "seed",
    "n_jobs": "num_threads",
    "early_stopping_rounds": "early_stopping_round",
}

DEFAULTS: Mapping[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "max_depth": -1,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 1e-3,
    "min_gain_to_split": 0.0,
    "feature_fraction": 1.0,
    "feature_fraction_bynode": 1.0,
    "bagging_fraction": 1.0,
    "lambda_l1": 0.0,
    "lambda_l2": 0.0,
    "path_smooth": 0.0,
    "extra_trees": False,
    "max_bin": 255,
    "min_data_in_bin": 3,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
    "max_cat_threshold": 32,
    "max_cat_to_onehot": 4,
    "linear_tree": False,
    "pairs": False,
}

OURS: Mapping[str, str] = {
    "num_iterations": "rounds end by early stopping: set model.max_rounds",
    "early_stopping_round": "set model.patience",
    "seed": "set seed=…; a trial's own follows from it",
    "num_threads": "set executor.threads",
    "metric": "set metric=…",
    "num_class": "it follows from the target",
    "monotone_constraints": "set prepare.monotone",
}
"""Parameters that leaflab sets itself, and where to say what they should be."""


def canonical(name: str) -> str:
    """A parameter's own name."""
    return ALIASES.get(name, name)


def check(values: Mapping[str, Sequence[Any]]) -> None:
    """Refuses what LightGBM does not know or does not take, and what leaflab sets itself.

    Args:
        values: parameters under any of their names, and the values each may take.

    Raises:
        ConfigError: names the parameter and the nearest that exists, where to set it instead, or what it must be.

    >>> check({"num_leavs": [7]})
    Traceback (most recent call last):
    leaflab.errors.ConfigError: `num_leavs` is no LightGBM parameter: did you mean num_leaves?
    """
    for name in values:
        known = canonical(name)
        if known in OURS:
            raise ConfigError(f"`{name}`", "is not set here", hint=OURS[known])
        if known not in NAMES | MORE:
            near = difflib.get_close_matches(name, sorted(NAMES | MORE | set(ALIASES)), n=1)
            hint = f"did you mean {near[0]}?" if near else "see LightGBM's list of parameters"
            raise ConfigError(f"`{name}`", "is no LightGBM parameter", hint=hint)
    refuse({canonical(name): candidates for name, candidates in values.items()})


def divided(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of the binned data, where they are not the defaults, and those of a booster.

    The same bins under two spellings would be made twice.

    >>> divided({"max_bins": 63, "num_leaves": 7})
    ({'max_bin': 63}, {'num_leaves': 7})
    """
    own = {canonical(name): value for name, value in params.items()}
    data = {name: value for name, value in own.items() if name in DATASET | MORE and value != DEFAULTS.get(name)}
    return data, {name: value for name, value in own.items() if name not in DATASET | MORE}


def lightgbms(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those that LightGBM knows."""
    return {name: value for name, value in params.items() if name not in MORE}
