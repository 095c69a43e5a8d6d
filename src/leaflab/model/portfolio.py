"""What to try first: strong LightGBM configurations for a task, a size and a width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.model.base import Problem

__all__ = ["portfolio"]


def portfolio(problem: Problem) -> list[dict[str, Any]]:
    """LightGBM's defaults first, then configurations unlike each other, the likeliest winners first."""
    rows = problem.boundary
    small = rows < 2_000
    leaf = 5 if small else 20
    found: list[dict[str, Any]] = [{}]
    if small:
        found.append(
            {
                "learning_rate": 0.05,
                "num_leaves": 7,
                "min_data_in_leaf": leaf,
                "feature_fraction": 0.7,
                "bagging_fraction": 0.8,
            }
        )
        found.append(
            {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 10, "feature_fraction": 0.5, "lambda_l2": 5.0}
        )
        return found
    found.append(
        {
            "learning_rate": 0.05,
            "num_leaves": 63,
            "min_data_in_leaf": leaf,
            "feature_fraction": 0.6,
            "bagging_fraction": 0.8,
            "lambda_l2": 1.0,
        }
    )
    found.append(
        {
            "learning_rate": 0.08,
            "num_leaves": 127,
            "min_data_in_leaf": 10,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.9,
            "lambda_l2": 5.0,
        }
    )
    found.append(
        {
            "learning_rate": 0.1,
            "num_leaves": 15,
            "min_data_in_leaf": 50,
            "feature_fraction": 0.8,
            "bagging_fraction": 0.9,
        }
    )
    return found
