"""The search of every sweep: a portfolio, then a sampler, then the best configurations refitted and averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.option import option
from leaflab.search.base import Found, Place, Search
from leaflab.search.foreign import described
from leaflab.search.limit import Limit
from leaflab.search.pruners import Pruner
from leaflab.search.samplers import Sampler

if TYPE_CHECKING:
    from leaflab.executor.base import Executor
    from leaflab.model.base import Model, Problem

__all__ = ["Standard"]


@option
class Standard(Search):
    """Tries strong configurations, then what the sampler draws, and refits the best.

    Args:
        seconds: from "dataset loaded" to "final model refitted"; null for no limit.
        trials: total trials, tried configurations included; null for no limit.
        sampler: an option of `leaflab.search.samplers`, or any sampler of Optuna with `_partial_: true`.
        pruner: an option of `leaflab.search.pruners`, or any pruner of Optuna with `_partial_: true`.
        space: parameter to range, choices or fixed value.
        validation: what a trial is judged on: the validation part, or folds of training and validation part together.
        folds: folds in one cut.
        refit: the final model: the best trial on all rows, its folds averaged, or a blend of the best on all rows.
        top: configurations of a blend.
        bins: "shared" bins all rows once (bin edges see the validation rows, a mild leak); "per_fold" bins each fold.
        portfolio: whether strong configurations are tried first.
        ordered: trials in generations, so that parallel workers change nothing; slower.
        pick: "best" refits as `refit` says; "fastest" takes the fastest good enough trial, cut to the fewest trees.
        within: how much worse than the best a good enough one may be, as a share of the loss.
        fresh: forget what this sweep did before.
        warm_start: a run id, or a name whose sweeps' best parameters are tried first.
        objectives: what is lowered or raised beside the metric (`latency_ms`, `worst(sex)`, …): pruning is off then.
        constraints: limits the model must keep, as `latency_ms <= 5`.
        study: "journal", a file in the project folder, or the URL of a database for Optuna's tables.
    """

    sampler: Sampler | Callable[..., Any]
    pruner: Pruner | Callable[..., Any]
    space: dict[str, Any]
    seconds: Annotated[float, Field(gt=0)] | None = 60
    trials: Annotated[int, Field(ge=1)] | None = None
    validation: Literal["holdout", "kfold", "repeated", "group", "time"] = "holdout"
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    refit: Literal["best", "bag", "blend"] = "blend"
    top: Annotated[int, Field(ge=1, le=20)] = 4
    bins: Literal["shared", "per_fold"] = "shared"
    portfolio: bool = True
    ordered: bool = False
    pick: Literal["best", "fastest"] = "best"
    within: Annotated[float, Field(ge=0, le=1)] = 0.005
    fresh: bool = False
    warm_start: str | None = None
    study: str = "journal"
    objectives: list[str] | str = Field(default_factory=list)
    constraints: list[str] | str = Field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("objectives", "constraints"):
            if isinstance(given := getattr(self, name), str):
                object.__setattr__(self, name, [given])
        for text in self.constraints:
            Limit.read(text)

    @property
    def key(self) -> Mapping[str, Any]:
        return {
            "sampler": described(self.sampler),
            "pruner": described(self.pruner),
            "space": self.space,
            "validation": [self.validation, self.folds],
            "refit": [self.refit, self.top] if self.pick == "best" else [self.pick, self.within],
            "bins": self.bins,
            "portfolio": self.portfolio,
            "ordered": self.ordered,
            "warm_start": self.warm_start,
            **({"objectives": self.objectives} if self.objectives else {}),
            **({"constraints": self.constraints} if self.constraints else {}),
        }

    @property
    def budget(self) -> str:
        parts = [f"{self.seconds:g} s"] if self.seconds is not None else []
        parts += [f"{self.trials} trials"] if self.trials is not None else []
        return ", ".join(parts) or "no limit"

    def run(self, problem: Problem, model: Model, executor: Executor, place: Place) -> Found:
        from leaflab.search.journal import held, kept
        from leaflab.search.objectives import Objectives
        from leaflab.search.session import Session, forget
        from leaflab.search.stopping import Stopping

        aims = Objectives.of(self, problem.metric, place.measure)
        with held(place.folder):
            if self.fresh:
                forget(place.folder)
            with (
                kept(self.study, place.folder, place.id, aims.directions) as journal,
                Stopping() as stopping,
            ):
                return Session(self, problem, model, executor, place, stopping, journal).run()
