"""From a typed frame to the matrix a model reads; fitted elsewhere, applied here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Encoder", "Feature"]


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    Args:
        name: the name people see (`month of time_hour`).
        column: the typed column it is made from.
        op: the operation, a key of `OPS`.
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

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """The matrix of a typed frame: float64, shape (rows, features), missing as NaN."""
        matrix = np.empty((len(frame), len(self.features)), dtype="float64")
        for position, feature in enumerate(self.features):
            matrix[:, position] = OPS[feature.op](frame[feature.column], feature.state)
        return matrix

    def to_json(self) -> list[dict[str, Any]]:
        return [f.to_json() for f in self.features]

    @classmethod
    def from_json(cls, plain: list[Mapping[str, Any]]) -> Encoder:
        return cls(tuple(Feature(**f) for f in plain))


def _number(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    return values.to_numpy(dtype="float64", na_value=np.nan)


def _codes(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    codes = pd.Index(state["levels"], dtype="str").get_indexer(pd.Index(values, dtype="str")).astype("float64")
    codes[codes < 0] = np.nan
    return codes


def _part(values: pd.Series[Any], state: Mapping[str, Any]) -> np.ndarray:
    stamp = values.dt
    part = state["part"]
    if part == "epoch_days":
        days = values.astype("datetime64[us]").astype("int64").to_numpy() / 86_400e6
        return np.where(values.isna(), np.nan, days)
    return np.asarray(getattr(stamp, part).to_numpy(dtype="float64", na_value=np.nan))


OPS: dict[str, Callable[[pd.Series[Any], Mapping[str, Any]], np.ndarray]] = {
    "number": _number,
    "codes": _codes,
    "part": _part,
}
