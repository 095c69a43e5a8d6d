"""What to try first: strong LightGBM configurations for a task and a size, unlike each other, so that they blend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaflab.model.selection import distinct

if TYPE_CHECKING:
    from leaflab.model.base import Problem

__all__ = ["counts", "fine", "needless", "portfolio"]

_FEW = 2_000
_NOISY_ROWS, _NOISY_CLASSES = 15_000, 3
"""So few rows are soon learnt by heart, and small trees are quick on them; with more classes they are not."""

_BINS = 255
_SAMPLE = 20_000
_APART = 100
"""So many categories of a column are each told from all others, one at a time, instead of by sets of them."""

_SHALLOW = {
    "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 50, "feature_fraction": 0.8, "bagging_fraction": 0.9
}  # fmt: skip
_DEEP = {"learning_rate": 0.07, "num_leaves": 255, "min_data_in_leaf": 5, "bagging_fraction": 0.9, "lambda_l2": 1.0}
_RANDOM = {"extra_trees": True, "learning_rate": 0.2, "num_leaves": 127, "min_data_in_leaf": 5}
_SAMPLED = {
    "learning_rate": 0.06, "num_leaves": 63, "feature_fraction": 0.6, "bagging_fraction": 0.8, "lambda_l2": 2.0
}  # fmt: skip
_USUAL = {
    "learning_rate": 0.08, "num_leaves": 64, "min_data_in_leaf": 5, "feature_fraction": 0.85, "bagging_fraction": 0.9
}  # fmt: skip
_CAUTIOUS = [
    {
        "learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 40, "feature_fraction": 0.5, "bagging_fraction": 0.6,
        "lambda_l2": 10.0,
    },
    {"extra_trees": True, "learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 20},
]  # fmt: skip
_SMALL = [
    {"learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 5, "feature_fraction": 0.7, "bagging_fraction": 0.8},
    {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 10, "feature_fraction": 0.5, "lambda_l2": 5.0},
    {"extra_trees": True, "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 3},
]


def counts(problem: Problem) -> bool:
    """Whether the target could be a count, an amount or a duration: never negative, so that a log link makes sense."""
    return problem.task == "regression" and problem.target.min() >= 0 and problem.target.max() > 0


def fine(problem: Problem) -> bool:
    """Whether a column of numbers has more distinct values than LightGBM's usual bins, so that more could tell more."""
    rows = problem.matrix[:: max(1, len(problem.matrix) // _SAMPLE)]
    numbers = (rows[:, i] for i in range(problem.plain) if i not in problem.categorical)
    return any(distinct(column) > _BINS for column in numbers)


def needless(problem: Problem, bins: Any) -> bool:
    """Whether choices of `max_bin` are all alike here: none below the usual one, and no column has values for more."""
    numbers = isinstance(bins, list) and all(isinstance(number, int) for number in bins)
    return numbers and min(bins, default=0) >= _BINS and not fine(problem)


def portfolio(problem: Problem) -> list[dict[str, Any]]:
    """LightGBM's defaults, then shallow, deep, randomised, column-sampled and usual trees; a log link, finer bins, one
    category against the rest, features of pairs of columns, and trees of a few leaves where they may fit."""
    few = problem.boundary < _FEW
    finer = {"max_bin": 1023} if not few and fine(problem) else {}
    apart = {"max_cat_to_onehot": _APART} if any(place < problem.plain for place in problem.categorical) else {}
    pairs: dict[str, Any] = {"pairs": True} if problem.paired else {}
    deep = {**_DEEP, "feature_fraction": 0.5, **pairs} if pairs else {**_DEEP, **finer}
    found: list[dict[str, Any]] = [{}, *_SMALL] if few else [
        {}, _SHALLOW, deep, {**_RANDOM, **pairs}, {**_SAMPLED, **(pairs or finer)}, {**_USUAL, **finer, **apart}
    ]  # fmt: skip
    if not few and problem.boundary < _NOISY_ROWS and problem.outputs <= _NOISY_CLASSES:
        found += _CAUTIOUS
    if counts(problem) and problem.metric.name == "rmse":
        found[2:2] = [{**(_SMALL[0] if few else _USUAL), "objective": "poisson"}]
    return found
