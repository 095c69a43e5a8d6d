"""Who may be named by `_target_`: a configuration from a stranger is code, so the resolved object is judged.

A dotted path is no boundary (`sklearn.utils.parallel.joblib.load` starts with an allowed name), so a target must lie in
an allowed package by its own `__module__`, and be a class of a kind that a configuration may build.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from leaflab.errors import ConfigError
from leaflab.option import is_option

__all__ = ["judge"]

_PACKAGES = frozenset({"leaflab", "sklearn", "optuna"})
_PLUGINS = frozenset({"hydra", "hydra_plugins"})
_KINDS = (
    "sklearn.base.BaseEstimator",
    "sklearn.model_selection.BaseCrossValidator",
    "sklearn.model_selection.BaseShuffleSplit",
    "optuna.samplers.BaseSampler",
    "optuna.pruners.BasePruner",
    "hydra.plugins.launcher.Launcher",
    "hydra.plugins.sweeper.Sweeper",
)


def judge(config: Any, home: Path) -> None:
    """Refuses a configuration that names anything but options, estimators, splitters, samplers and pruners.

    Raises:
        ConfigError: the first target refused, with its key.
    """
    for key, target in _targets(config, ()):
        _judge_one(key, target, _PLUGINS if key in ("hydra.launcher", "hydra.sweeper") else trusted(home))


def _targets(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield ".".join(path), node["_target_"]
        for key, value in node.items():
            yield from _targets(value, (*path, str(key)))
    elif isinstance(node, list | tuple):
        for position, value in enumerate(node):
            yield from _targets(value, (*path, str(position)))


@cache
def trusted(home: Path) -> frozenset[str]:
    """The allowed packages: our own few, and those of `[tool.leaflab] trust` in the project's pyproject.toml."""
    file = home / "pyproject.toml"
    if not file.is_file():
        return _PACKAGES
    own = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("leaflab", {}).get("trust", [])
    return _PACKAGES | frozenset(own)


def _judge_one(key: str, target: Any, packages: frozenset[str]) -> None:
    subject = f"`{key}._target_`"
    if not isinstance(target, str) or target.partition(".")[0] not in packages:
        hint = "add the package to [tool.leaflab] trust in pyproject.toml if you trust its code"
        raise ConfigError(subject, f"must lie in one of {', '.join(sorted(packages))}", got=target, hint=hint)
    thing = _resolve(subject, target)
    owner = str(getattr(thing, "__module__", "")).partition(".")[0]
    if owner not in packages or not _may_be_built(thing):
        raise ConfigError(subject, "must be an option, an estimator, a splitter, a sampler or a pruner", got=target)


def _resolve(subject: str, target: str) -> Any:
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(subject, "names nothing that can be imported", got=target) from error


def _may_be_built(thing: Any) -> bool:
    if is_option(thing):
        return True
    if not isinstance(thing, type):
        return False
    names = {f"{base.__module__}.{base.__qualname__}" for base in thing.__mro__}
    return any(_names_the_same(kind, names) for kind in _KINDS)


def _names_the_same(kind: str, names: set[str]) -> bool:
    package, _, cls = kind.rpartition(".")
    return any(name.startswith(package.partition(".")[0] + ".") and name.endswith("." + cls) for name in names)
