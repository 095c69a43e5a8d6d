"""From a typed frame to the matrix a model reads; fitted elsewhere, applied here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["GROUPS", "OPS", "PAIRS", "Encoder", "Feature"]


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    Args:
        name: the name people see (`month of time_hour`).
        column: the typed column it is made from.
        op: the operation, a key of `OPS`, `PAIRS` or `GROUPS`.
        state: what the operation learnt on the training rows, as plain JSON ({"levels": ["AA", "UA"]}).
        categorical: whether its values are category codes (0, 1, …; NaN for missing or unseen).
    """

    name: str
    column: str
    op: str
    state: Mapping[str, Any] = field(default_factory=dict)
    categorical: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "column": self.column,
            "op": self.op,
            "state": dict(self.state),
            "categorical": self.categorical,
        }


@dataclass(frozen=True)
class Encoder:
    """The features of a model, in the order of the matrix's columns."""

    features: tuple[Feature, ...]

    @property
    def names(self) -> list[str]:
        return [f.name for f in self.features]

    @property
    def categorical(self) -> list[int]:
        """Positions of the features that hold category codes."""
        return [i for i, f in enumerate(self.features) if f.categorical]

    def encode(self, frame: pd.DataFrame, known: np.ndarray | None = None) -> np.ndarray:
        """The matrix of a typed frame: float64, shape (rows, features), missing as NaN.

        Args:
            frame: typed rows.
            known: the matrix's first columns, where they have been made before.
        """
        matrix = np.empty((len(frame), len(self.features)), dtype="float64")
        made = 0
        if known is not None:
            made = known.shape[1]
            matrix[:, :made] = known
        counts: dict[str, np.ndarray] = {}
        for position, feature in enumerate(self.features[made:], made):
            values = frame[feature.column]
            if feature.op in PAIRS:
                other = frame[feature.state["other"]]
                with np.errstate(over="ignore", invalid="ignore"):
                    matrix[:, position] = PAIRS[feature.op](_number(values, {}), _number(other, {}))
            elif feature.op in GROUPS:
                matrix[:, position] = GROUPS[feature.op](matrix, feature.state)
            elif feature.op == "word":
                if feature.column not in counts:
                    counts[feature.column] = word_counts(values, feature.state["of"])
                matrix[:, position] = counts[feature.column][:, feature.state["bucket"]]
            else:
                matrix[:, position] = OPS[feature.op](values, feature.state)
        return matrix

    def first(self, count: int) -> Encoder:
        """The encoder of the matrix's first columns."""
        return Encoder(self.features[:count])

    def to_json(self) -> list[dict[str, Any]]:
        return [f.to_json() for f in self.features]

    @classmethod
    def from_json(cls, plain: list[Mapping[str, Any]]) -> Encoder:
        return cls(tuple(Feature(**f) for f in plain))


def _number(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    return values.to_numpy(dtype="float64", na_value=np.nan)


def _scaled(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """Missing filled, then mapped to its quantile, or centred and divided."""
    numbers = _number(values, state)
    if "fill" in state:
        numbers = np.where(np.isnan(numbers), state["fill"], numbers)
    if "quantiles" in state:
        quantiles, references = np.asarray(state["quantiles"]), np.asarray(state["references"])
        gone = np.isnan(numbers)
        rising = np.interp(numbers, quantiles, references)
        falling = -np.interp(-numbers, -quantiles[::-1], -references[::-1])
        return np.where(gone, np.nan, 0.5 * (rising + falling))
    return np.asarray((numbers - state.get("center", 0.0)) / state.get("scale", 1.0))


def _missing(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    return values.isna().to_numpy(dtype="float64")


def _codes(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """Places in `levels`; with `others` an unseen level is the place after the last, else it is missing."""
    if "fill" in state:
        values = values.fillna(state["fill"])
    codes = pd.Index(state["levels"], dtype="str").get_indexer(pd.Index(values, dtype="str")).astype("float64")
    codes[codes < 0] = np.nan
    if state.get("others"):
        codes[np.isnan(codes) & values.notna().to_numpy()] = len(state["levels"])
    return codes


def _level(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """1 where the value is the level, 0 elsewhere."""
    return (values == state["level"]).fillna(False).to_numpy(dtype="float64")


def _mean(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """What the training rows of a level had on average; `default` for a missing or unseen one."""
    places = pd.Index(state["levels"], dtype="str").get_indexer(pd.Index(values, dtype="str"))
    return np.append(np.asarray(state["values"], dtype="float64"), state["default"])[places]


def _hash(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """One of `buckets` codes from the text itself, so that no level is unseen."""
    places, distinct = pd.factorize(values)
    codes = np.array([*(bucket(str(text), state["buckets"]) for text in distinct), np.nan])
    return np.asarray(codes[places])


def _cycle(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """A part of a time as a place on a circle: December stands beside January."""
    turn = 2 * np.pi * _part(values, state) / state["period"]
    return np.asarray(np.sin(turn) if state["axis"] == "sin" else np.cos(turn))


def _word(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(word_counts(values, state["of"])[:, state["bucket"]])


def _term(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    """How often a word stands in a text, times its weight; missing texts have none."""
    places, distinct = pd.factorize(values)
    found = np.array([*(words(str(text)).count(state["term"]) for text in distinct), 0], dtype="float64")
    return np.asarray(found[places] * state["weight"])


def word_counts(values: pd.Series[Any], buckets: int) -> np.ndarray:
    """Words of each text counted in hashed buckets, shape (rows, buckets)."""
    places, distinct = pd.factorize(values)
    counts = np.zeros((len(distinct) + 1, buckets))
    for row, text in enumerate(distinct):
        for word in words(str(text)):
            counts[row, bucket(word, buckets)] += 1
    return np.asarray(counts[places])


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple[str, ...]:
    """The words of a text, lower case, two letters or more."""
    return tuple(re.findall(r"\w\w+", text.lower()))


@lru_cache(maxsize=1 << 16)
def bucket(text: str, buckets: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % buckets


def _part(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    stamp = values.dt
    part = state["part"]
    if part == "epoch_days":
        days = values.astype("datetime64[us]").astype("int64").to_numpy() / 86_400e6
        return np.where(values.isna(), np.nan, days)
    name = "day_of_week" if part == "dayofweek" else part
    return np.asarray(getattr(stamp, name).to_numpy(dtype="float64", na_value=np.nan))


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.divide(one, other, out=np.full(one.shape, np.nan), where=other != 0)


OPS: dict[str, Callable[[pd.Series[Any], Mapping[str, Any]], np.ndarray]] = {
    "number": _number,
    "scaled": _scaled,
    "missing": _missing,
    "codes": _codes,
    "level": _level,
    "mean": _mean,
    "lookup": _mean,
    "hash": _hash,
    "part": _part,
    "cycle": _cycle,
    "word": _word,
    "term": _term,
}
"""Operations of one column, value by value."""

PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ratio": _ratio,
    "product": np.multiply,
    "sum": np.add,
    "difference": np.subtract,
}
"""Operations of two numeric columns, the second named by `state["other"]`."""


def key_of(matrix: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """The column at `state["by"]`; with `whole`, of days since an epoch, the day."""
    key = matrix[:, state["by"]]
    return np.floor(key) if state.get("whole") else key


def places_of(keys: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where each key stands among the sorted levels; the place after the last for a missing or unseen one."""
    places = np.searchsorted(levels, keys).clip(max=len(levels) - 1)
    return np.where(levels[places] == keys, places, len(levels))


def _of_level(matrix: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    """The value that stands for a level of the key; `default`, or missing, for a missing or unseen one."""
    places = places_of(key_of(matrix, state), np.asarray(state["levels"]))
    return np.asarray([*state["values"], state.get("default", np.nan)])[places]


def _beyond(matrix: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(matrix[:, state["of"]] - _of_level(matrix, state))


GROUPS: dict[str, Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]] = {
    "usual": _of_level,
    "beyond": _beyond,
    "coded": _of_level,
}
"""Operations of earlier columns of the matrix, a key among them, at `state["by"]`: what the training rows of its level
had of a number on average; how far the number, at `state["of"]`, lies from that; the level's code as a category."""
