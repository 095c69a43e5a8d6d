"""Features made of two columns, many at a time: those of one operation in one call, those of one key by one search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .encoder import PAIRS, Feature, key_of, places_of

__all__ = ["FastGroups", "FastPairs"]


class FastPairs:
    """Features of two numeric columns.

    Args:
        place: name of a column to its row in the numbers that `fill` is given.
    """

    def __init__(self, place: Mapping[str, int]) -> None:
        self._place = place
        self._of: dict[str, tuple[list[int], list[int], list[int]]] = {}

    def add(self, position: int, feature: Feature) -> None:
        to, one, other = self._of.setdefault(feature.op, ([], [], []))
        to.append(position)
        one.append(self._place[feature.column])
        other.append(self._place[feature.state["other"]])

    def fill(self, matrix: np.ndarray, numbers: np.ndarray) -> None:
        """Writes them, from numbers of shape (columns, rows)."""
        with np.errstate(over="ignore", invalid="ignore"):
            for op, (to, one, other) in self._of.items():
                matrix[:, to] = PAIRS[op](numbers[one], numbers[other]).T


class FastGroups:
    """Features of a key: what is usual of a number in a group, what is beyond it, and the group's code."""

    def __init__(self) -> None:
        self._of: dict[Any, _Key] = {}

    def add(self, position: int, feature: Feature) -> None:
        state = feature.state
        key = state["by"], state.get("whole"), tuple(state["levels"])
        if key not in self._of:
            self._of[key] = _Key(state)
        self._of[key].add(position, feature)

    def fill(self, matrix: np.ndarray) -> None:
        """Writes them, from the columns of the matrix that they are made of."""
        for key in self._of.values():
            key.fill(matrix)


class _Key:
    """The features of one key and its levels."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state, self._levels = state, np.asarray(state["levels"])
        self._to: list[int] = []
        self._from: list[int] = []
        self._beyond: list[bool] = []
        self._usual = np.empty((len(self._levels) + 1, 0))

    def add(self, position: int, feature: Feature) -> None:
        state = feature.state
        self._to.append(position)
        self._from.append(state.get("of", state["by"]))
        self._beyond.append(feature.op == "beyond")
        self._usual = np.column_stack([self._usual, [*state["values"], state.get("default", np.nan)]])

    def fill(self, matrix: np.ndarray) -> None:
        usual = self._usual[places_of(key_of(matrix, self._state), self._levels)]
        matrix[:, self._to] = np.where(self._beyond, matrix[:, self._from] - usual, usual)
