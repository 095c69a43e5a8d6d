"""A bound on an objective, as it is written."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from leaflab.errors import ConfigError

__all__ = ["Limit"]

_LIMIT = re.compile(r"^\s*(?P<name>.+?)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>[-+]?[\d.]+(e[-+]?\d+)?)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Limit:
    """A bound on an objective that the model must keep, as in `latency_ms <= 5`."""

    name: str
    sign: Literal["<=", ">="]
    bound: float

    @classmethod
    def read(cls, text: str) -> Limit:
        """The limit of a text.

        Raises:
            ConfigError: it cannot be read.

        >>> Limit.read("latency_ms <= 5")
        Limit(name='latency_ms', sign='<=', bound=5.0)
        """
        if found := _LIMIT.match(text):
            sign: Any = found["sign"][0] + "="
            with suppress(ValueError):
                return cls(found["name"], sign, float(found["bound"]))
        hint = "as in search.constraints=['latency_ms <= 5']"
        raise ConfigError("`search.constraints`", "must be NAME <= NUMBER or NAME >= NUMBER", got=text, hint=hint)

    def excess(self, value: float) -> float:
        """How far beyond the bound a value is; at most 0 where it is kept."""
        return value - self.bound if self.sign == "<=" else self.bound - value

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.bound:g}"
