"""What makes a class an option: one frozen record, checked when it is made, named by `_target_` in its YAML."""

from __future__ import annotations

from typing import Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

__all__ = ["is_option", "option"]

_CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
_MARK = "__leaflab_option__"

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def option(cls: type[T]) -> type[T]:
    """Makes a frozen, keyword-only pydantic dataclass that refuses unknown keys and wrong types.

    >>> @option
    ... class Random:
    ...     test_size: float = 0.2
    >>> Random(test_size=0.3)
    Random(test_size=0.3)
    """
    made = cast(Any, dataclass(frozen=True, kw_only=True, config=_CONFIG)(cls))
    setattr(made, _MARK, made)
    return cast(type[T], made)


def is_option(thing: object) -> bool:
    """Whether a resolved object is itself an option class (a subclass that is not one itself is not)."""
    return isinstance(thing, type) and getattr(thing, _MARK, None) is thing
