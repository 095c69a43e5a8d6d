"""Optuna's samplers as options: made anew for every trial, so that a trial's draw depends on its number alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ConfigError, ExtraError
from leaflab.option import option
from leaflab.search.foreign import built
from leaflab.search.space import clamped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

__all__ = ["CmaEs", "Gp", "Grid", "Nsga2", "Qmc", "Random", "Sampler", "Tpe", "check", "made", "partly", "size"]

_MOST_CELLS = 100_000


class Sampler(ABC):
    """Contract: `make` with the same seed gives a sampler with the same draws."""

    @abstractmethod
    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        """The sampler of one trial.

        Args:
            seed: the trial's own.
            sweep_seed: the same for all trials, for samplers that walk through one sequence.
            space: what is searched.

        Raises:
            ExtraError: its package is not installed.
        """


def made(
    sampler: Sampler | Callable[..., BaseSampler], seed: int, sweep_seed: int, space: Mapping[str, Any]
) -> BaseSampler:
    """An option's sampler, or any of Optuna's given as `_target_` with `_partial_: true`."""
    if isinstance(sampler, Sampler):
        return sampler.make(seed, sweep_seed, space)
    found: BaseSampler = built("search.sampler", sampler, seed)
    if type(found).__name__ == "GPSampler":
        _need("torch", "search.sampler=GPSampler")
    return found


def partly(
    params: Mapping[str, Any], space: Mapping[str, Any], free: Collection[str], sampler: BaseSampler
) -> BaseSampler:
    """A sampler that draws what is free and takes the rest as it is given."""
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import PartialFixedSampler

    kept = {name: value for name, value in clamped(params, space).items() if name not in free}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PartialFixedSampler(kept, sampler)


def size(sampler: BaseSampler, space: Mapping[str, Any]) -> int | None:
    """How many different trials a sampler has to give that goes through a space once; None for any other."""
    from optuna.samplers import BruteForceSampler, GridSampler

    if isinstance(sampler, GridSampler):
        return len(sampler._all_grids)
    if isinstance(sampler, BruteForceSampler):
        return math.prod(len(list(_steps(kind))) for kind in space.values())
    return None


def _steps(kind: Any) -> Iterable[Any]:
    """The values of a finite range."""
    return kind.choices if hasattr(kind, "choices") else range(1 + round((kind.high - kind.low) / kind.step))


def check(sampler: Sampler | Callable[..., BaseSampler], space: Mapping[str, Any], directions: list[str]) -> None:
    """Draws once without a consequence, so that what cannot work is said before the first trial.

    Raises:
        ConfigError: the sampler cannot serve this space, or several objectives.
        ExtraError: its package is not installed.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=directions, sampler=made(sampler, 0, 0, space))
    try:
        study.ask(dict(space))
    except (ValueError, RuntimeError) as error:
        raise ConfigError("`search.sampler`", f"cannot be used here ({error})") from error


@option
class Tpe(Sampler):
    """Tree-structured Parzen estimator over all parameters together; running trials count as bad ones (constant liar).

    Args:
        startup: trials drawn at random before the estimator speaks; tried configurations count.
        candidates: draws the estimator chooses from.
    """

    startup: Annotated[int, Field(ge=0)] = 8
    candidates: Annotated[int, Field(ge=1)] = 32

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.startup,
            n_ei_candidates=self.candidates,
            seed=seed,
            multivariate=True,
            constant_liar=True,
        )


@option
class Random(Sampler):
    """Independent draws: the honest comparison for any other sampler."""

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


@option
class Grid(Sampler):
    """Every combination once, in random order.

    Args:
        points: values of a continuous range.
    """

    points: Annotated[int, Field(ge=2)] = 4

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        from optuna.samplers import GridSampler

        grid = {name: self._values(kind) for name, kind in space.items()}
        cells = math.prod(len(values) for values in grid.values())
        if cells > _MOST_CELLS:  # Optuna lists them all in memory
            rule = f"must be a grid of at most {_MOST_CELLS:,} combinations"
            hint = "set search/space=small, fix parameters with model.params, or lower search.sampler.points"
            raise ConfigError("`search.sampler`", rule, got=cells, hint=hint)
        return GridSampler(grid, seed=seed)

    def _values(self, kind: Any) -> list[Any]:
        import numpy as np
        from optuna.distributions import CategoricalDistribution, IntDistribution

        if isinstance(kind, CategoricalDistribution):
            return list(kind.choices)
        spaced = np.geomspace if kind.log else np.linspace
        values = np.clip(spaced(kind.low, kind.high, self.points), kind.low, kind.high)
        if isinstance(kind, IntDistribution):
            return sorted({kind.low + round((v - kind.low) / kind.step) * kind.step for v in values.tolist()})
        return [float(v) for v in values]


@option
class Qmc(Sampler):
    """A scrambled Sobol sequence: even coverage."""

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        import warnings

        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import QMCSampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return QMCSampler(
                scramble=True, seed=sweep_seed, warn_asynchronous_seeding=False, warn_independent_sampling=False
            )


@option
class Nsga2(Sampler):
    """A genetic algorithm, for several objectives.

    Args:
        population: configurations a generation.
    """

    population: Annotated[int, Field(ge=2)] = 16

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.population, seed=seed)


@option
class CmaEs(Sampler):
    """Covariance matrix adaptation, for continuous spaces and hundreds of trials."""

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        _need("cmaes", "search=cmaes")
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(seed=seed, warn_independent_sampling=False)


@option
class Gp(Sampler):
    """A Gaussian process: few and costly trials."""

    def make(self, seed: int, sweep_seed: int, space: Mapping[str, BaseDistribution]) -> BaseSampler:
        _need("torch", "search=gp")
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed)


def _need(package: str, feature: str) -> None:
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise ExtraError(f"`{feature}`", "samplers" if package == "cmaes" else "", package)
