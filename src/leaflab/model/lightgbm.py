"""LightGBM, trained on shared bins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.model.base import Fold, Model, Problem
from leaflab.model.limits import WHOLE, refuse_objectives
from leaflab.model.parameters import DEFAULTS, canonical, check
from leaflab.model.portfolio import counts, needless, portfolio
from leaflab.model.work import LightGBMBench
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.executor.base import Bench
    from leaflab.scorer.predictor import Predictor

__all__ = ["LightGBM"]

_BY_METRIC = {"mae": "regression_l1", "mape": "mape"}
_OF_CATEGORIES = {"cat_smooth", "cat_l2", "max_cat_to_onehot", "max_cat_threshold", "min_data_per_group"}
_BY_FEATURE = {"feature_contri", "forcedsplits_filename", "interaction_constraints", "max_bin_by_feature"}
_SHARES = ("feature_fraction", "feature_fraction_bynode", "bagging_fraction")


@option
class LightGBM(Model):
    """Gradient-boosted trees.

    Args:
        params: LightGBM parameters that stay fixed, by name; an unknown one is refused.
        max_rounds: the most boosting rounds of a booster.
        patience: rounds without improvement before a booster stops; "auto" waits longer at small learning rates.
        deterministic: the same trees whatever the number of threads; costs a few percent of speed.
        pairs: the most features made of two columns that a trial may use: sums, differences, products and ratios of
            numbers, a number's mean in the rows that share another column's value, and how far a row is from it. There
            are none where they do not pay on held-out rows. With 0, no number that is a name becomes a category either.
    """

    params: dict[str, Any] = Field(default_factory=dict)
    max_rounds: Annotated[int, Field(ge=1)] = 5000
    patience: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    deterministic: bool = True
    pairs: Annotated[int, Field(ge=0, le=200)] = 24

    def __post_init__(self) -> None:
        check({name: [value] for name, value in self.params.items()})

    @property
    def defaults(self) -> Mapping[str, Any]:
        return DEFAULTS

    @property
    def most_pairs(self) -> int:
        return 0 if set(self.params) & _BY_FEATURE else self.pairs

    @property
    def blends(self) -> bool:
        return True

    def varies(self, params: Mapping[str, Any]) -> bool:
        given = {**self.params, **params}
        return bool(given.get("extra_trees")) or any(given.get(share, 1.0) < 1.0 for share in _SHARES)

    def check(self, problem: Problem, values: Mapping[str, Sequence[Any]]) -> None:
        check(values)
        refuse_objectives(problem.task, [self.params.get("objective"), *values.get("objective", [])])

    def space(self, problem: Problem, default: Mapping[str, Any]) -> Mapping[str, Any]:
        left_out = set(self.params) | (set() if problem.categorical else _OF_CATEGORIES)
        left_out |= set() if counts(problem) and problem.metric.name == "rmse" else _links(default)
        left_out |= set() if problem.paired else {"pairs"}
        left_out |= {"max_bin"} if needless(problem, default.get("max_bin")) else set()
        return {name: _whole(name, spec) for name, spec in default.items() if name not in left_out}

    def portfolio(self, problem: Problem) -> list[dict[str, Any]]:
        return [p for p in portfolio(problem) if not set(p) & set(self.params)] or [{}]

    def predictor(self, texts: Sequence[str], weights: Sequence[float]) -> Predictor:
        from leaflab.model.widening import alike
        from leaflab.scorer.predictor import Boosters

        return Boosters(alike(texts), list(weights))

    def bench(self, problem: Problem, folds: Sequence[Fold], folder: Path, bins: str) -> Bench:
        from leaflab.model.binning import Store

        Store.write(folder, problem, folds, bins)
        return LightGBMBench(folder, self, self._fixed(problem), problem.task, problem.metric, problem.score)

    def _fixed(self, problem: Problem) -> dict[str, Any]:
        objective = _BY_METRIC.get(problem.metric.name, problem.task)
        fixed: dict[str, Any] = {"objective": objective, "verbosity": -1, "bagging_freq": 1}
        if problem.task == "multiclass":
            fixed["num_class"] = problem.outputs
        if self.deterministic:
            fixed |= {"deterministic": True, "force_col_wise": True}
        if any(problem.monotone):
            fixed["monotone_constraints"] = list(problem.monotone)
        return {**fixed, **self.params}


def _links(default: Mapping[str, Any]) -> set[str]:
    """The objective, where a space offers no other than those that only squared errors of amounts choose between."""
    words = set(re.findall(r"\w+", str(default.get("objective", "")))) - {"choice", "choices"}
    return {"objective"} if words <= {"regression", "poisson", "tweedie"} else set()


def _whole(name: str, spec: Any) -> Any:
    """The range of a parameter that LightGBM takes only as a whole number, as people write it for any other."""
    if canonical(name) not in WHOLE:
        return spec
    if isinstance(spec, str) and "interval(" in spec:
        return f"int({spec})"
    return {**spec, "type": "int"} if isinstance(spec, Mapping) and "low" in spec else spec
