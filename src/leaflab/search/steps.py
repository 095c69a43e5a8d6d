"""Searching one group of parameters after the other, each from the best trial so far (`search.space.steps`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leaflab.errors import ConfigError

__all__ = ["Steps", "divided", "now"]

Steps = Sequence[tuple[int, frozenset[str]]]
"""Trials of each step, and the names that vary in it; when all are through, everything varies."""


def divided(space: Mapping[str, Any]) -> tuple[Steps, dict[str, Any]]:
    """The steps of a space as it is written, and the rest of it.

    Raises:
        ConfigError: a step that is none, or names what is not in the space.

    >>> divided({"steps": [{"trials": 7, "of": ["a"]}], "a": [1, 2]})
    ([(7, frozenset({'a'}))], {'a': [1, 2]})
    """
    rest = {name: spec for name, spec in space.items() if name != "steps"}
    return [_step(written, rest) for written in space.get("steps") or ()], rest


def _step(written: Any, names: Iterable[str]) -> tuple[int, frozenset[str]]:
    hint = "as in {trials: 20, of: [num_leaves]}"
    if not isinstance(written, Mapping) or set(written) != {"trials", "of"} or not isinstance(written["of"], list):
        raise ConfigError("`search.space.steps`", "must say trials and of for every step", got=written, hint=hint)
    if not isinstance(written["trials"], int) or written["trials"] < 1:
        raise ConfigError("`search.space.steps`", "must have trials of 1 or more", got=written["trials"], hint=hint)
    if unknown := sorted(set(written["of"]) - set(names)):
        raise ConfigError("`search.space.steps`", "must name parameters of the space", got=unknown[0])
    return written["trials"], frozenset(written["of"])


def now(steps: Steps, number: int) -> frozenset[str] | None:
    """What varies in the step of a trial, counted from the first one that is drawn; None: everything."""
    for trials, names in steps:
        if number < trials:
            return names
        number -= trials
    return None
