"""Optuna's pruners as options. A step is one unit of progress: boosting rounds times learning rate."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leaflab.option import option
from leaflab.search.foreign import built

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.pruners import BasePruner

__all__ = ["Asha", "Hyperband", "Keep", "Patient", "Percentile", "Pruner", "Rungs", "Wilcoxon", "made", "racing"]

_log = logging.getLogger(__name__)


class Pruner(ABC):
    """Contract: `make` gives Optuna's pruner; whether it judges rounds, rows or folds stands in `by`."""

    by = "rounds"

    @abstractmethod
    def make(self) -> BasePruner:
        """The pruner."""

    def shares(self, rows: int) -> tuple[float, ...]:
        """Shares of so many training rows that a trial is judged on before all of them, growing; as a rule none."""
        return ()


def made(pruner: Pruner | Callable[..., BasePruner], several: bool = False) -> BasePruner:
    """An option's pruner, or any of Optuna's given as `_target_`; none where there are several objectives."""
    if several and not isinstance(pruner, Keep):
        _log.info("Pruning is off: Optuna cannot prune trials that are after several objectives.")
    if several:
        return Keep().make()
    return pruner.make() if isinstance(pruner, Pruner) else built("search.pruner", pruner)


def racing(pruner: BasePruner) -> bool:
    """Whether one of Optuna's pruners compares a trial with others that are still running."""
    from optuna.pruners import HyperbandPruner, PatientPruner, SuccessiveHalvingPruner

    if isinstance(pruner, PatientPruner):
        return pruner._wrapped_pruner is not None and racing(pruner._wrapped_pruner)
    return isinstance(pruner, HyperbandPruner | SuccessiveHalvingPruner)


@option
class Keep(Pruner):
    """Every trial is trained to its end."""

    def make(self) -> BasePruner:
        from optuna.pruners import NopPruner

        return NopPruner()


@option
class Percentile(Pruner):
    """Stops a trial whose best value so far is not among the best `keep` percent of finished ones at the same progress.

    Args:
        keep: percent of the finished trials; 50 is the median rule.
        startup: finished trials before anything is stopped.
        warmup: progress (rounds x learning rate) before a trial may be stopped.
    """

    keep: Annotated[float, Field(gt=0, le=100)] = 50.0
    startup: Annotated[int, Field(ge=0)] = 3
    warmup: Annotated[int, Field(ge=0)] = 2

    def make(self) -> BasePruner:
        from optuna.pruners import PercentilePruner

        return PercentilePruner(self.keep, n_startup_trials=self.startup, n_warmup_steps=self.warmup)


@option
class Hyperband(Pruner):
    """Brackets of successive halving."""

    reduction: Annotated[int, Field(ge=2)] = 3

    def make(self) -> BasePruner:
        from optuna.pruners import HyperbandPruner

        return HyperbandPruner(min_resource=1, max_resource=50, reduction_factor=self.reduction)


@option
class Asha(Pruner):
    """Asynchronous successive halving: only the best of `reduction` go on at each rung."""

    reduction: Annotated[int, Field(ge=2)] = 3

    def make(self) -> BasePruner:
        from optuna.pruners import SuccessiveHalvingPruner

        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=self.reduction)


@option
class Rungs(Asha):
    """Successive halving over rows: a trial learns from a share of them first, and only the best go on to a larger one.

    Args:
        reduction: how many times the rows grow from rung to rung, and one in how many goes on.
        least: rows of the lowest rung; where there are fewer than `reduction` times as many, nothing is stopped.
    """

    least: Annotated[int, Field(ge=1)] = 20_000
    by = "rows"

    def shares(self, rows: int) -> tuple[float, ...]:
        found: list[float] = []
        while rows * (share := self.reduction ** -(len(found) + 1)) >= self.least:
            found.insert(0, share)
        return tuple(found)


@option
class Patient(Pruner):
    """Another pruner that waits until a trial has not improved for `patience` steps.

    Args:
        keep: as in `Percentile`.
        patience: steps of progress without improvement.
    """

    keep: Annotated[float, Field(gt=0, le=100)] = 50.0
    patience: Annotated[int, Field(ge=0)] = 2

    def make(self) -> BasePruner:
        import warnings

        from optuna.exceptions import ExperimentalWarning
        from optuna.pruners import PatientPruner, PercentilePruner

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return PatientPruner(PercentilePruner(self.keep, n_startup_trials=3), patience=self.patience)


@option
class Wilcoxon(Pruner):
    """Stops a trial whose folds are worse than the best trial's by a signed-rank test; for validation=kfold|repeated.

    The test assumes that differences between two trials on the same fold are exchangeable around zero under the null;
    it looks after every fold, so that `p` is not the chance of a wrong stop over a whole sweep.

    Args:
        p: level of the test.
        startup: folds before it speaks.
    """

    p: Annotated[float, Field(gt=0, lt=1)] = 0.1
    startup: Annotated[int, Field(ge=0)] = 2
    by = "folds"

    def make(self) -> BasePruner:
        import warnings

        from optuna.exceptions import ExperimentalWarning
        from optuna.pruners import WilcoxonPruner

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return WilcoxonPruner(p_threshold=self.p, n_startup_steps=self.startup)
