"""Samplers and pruners of Optuna itself, named by `_target_` in a YAML."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from leaflab.errors import ConfigError, ExtraError
from leaflab.option import is_option

__all__ = ["built", "described"]

_DEEP = 3


def built(key: str, make: Callable[..., Any], seed: int | None = None) -> Any:
    """The object, seeded anew: the same seed for every trial would draw the same trial again and again.

    Raises:
        ConfigError: an argument that it does not take, or lacks.
        ExtraError: it needs a package that is not installed.
    """
    from optuna.exceptions import ExperimentalWarning

    takes = inspect.signature(getattr(make, "func", make)).parameters
    seeds = {"seed": seed} if seed is not None and "seed" in takes else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            made = make(**seeds)
    except ImportError as error:
        raise ExtraError(f"`{key}={_name(make)}`", "samplers") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`{key}`", f"cannot be built ({error})", got=_name(make)) from error
    if seed is not None:
        _seed(made, seed)
    return made


def _seed(sampler: Any, seed: int) -> None:
    """Samplers may hold others (`base_sampler`), which were built once, from the YAML."""
    from optuna.samplers import BaseSampler
    from optuna.samplers._lazy_random_state import LazyRandomState

    for held in vars(sampler).values():
        if isinstance(held, LazyRandomState):
            held.rng.seed(seed)
        elif isinstance(held, BaseSampler):
            _seed(held, seed)


def _name(make: Any) -> str:
    kind = make.func if isinstance(make, partial) else make
    return str(getattr(kind, "__name__", kind))


def described(thing: Any, deep: int = 0) -> Any:
    """A sampler or pruner as plain values that are the same in every process: what of it can change a trial."""
    if is_option(type(thing)):
        return repr(thing)
    if isinstance(thing, partial):
        return {_name(thing): {k: described(v, deep + 1) for k, v in sorted(thing.keywords.items())}}
    if isinstance(thing, Mapping):
        return {str(k): described(v, deep + 1) for k, v in thing.items()}
    if isinstance(thing, list | tuple):
        return [described(v, deep + 1) for v in thing]
    if thing is None or isinstance(thing, str | int | float | bool):
        return thing
    inside = vars(thing) if deep <= _DEEP and hasattr(thing, "__dict__") and not callable(thing) else {}
    return {type(thing).__name__: {k: described(v, deep + 1) for k, v in sorted(inside.items())}}
