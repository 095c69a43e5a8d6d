"""What a model's features learn: fitted on the training rows alone, applied by the scorer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.scorer.encoder import Encoder, Feature

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer.columns import Column
    from leaflab.values import Dataset

__all__ = ["fit_encoder"]

_PARTS = ("epoch_days", "month", "day", "dayofweek", "hour", "minute")


def fit_encoder(dataset: Dataset, frame: pd.DataFrame) -> Encoder:
    """The encoder of a dataset's features.

    Args:
        dataset: its columns and the options of its features.
        frame: the typed training rows, as `dataset.parts["train"].to_pandas()` gives them.
    """
    features: list[Feature] = []
    for column in dataset.columns:
        features += _FITTERS[column.kind](column, frame[column.name], dataset.features)
    return Encoder(tuple(features))


def _number(column: Column, values: pd.Series[Any], options: Mapping[str, Any]) -> Iterator[Feature]:
    yield Feature(column.name, column.name, "number")


def _category(column: Column, values: pd.Series[Any], options: Mapping[str, Any]) -> Iterator[Feature]:
    yield Feature(column.name, column.name, "codes", {"levels": levels(values)}, categorical=True)


def levels(values: pd.Series[Any]) -> list[str]:
    """The categories of the training rows, the commonest first; ties in the order of the alphabet."""
    counts = values.value_counts()
    order = np.lexsort((counts.index.to_numpy(dtype=object).astype(str), -counts.to_numpy()))
    return [str(level) for level in counts.index[order]]


def _time(column: Column, values: pd.Series[Any], options: Mapping[str, Any]) -> Iterator[Feature]:
    """The parts of a time that vary on the training rows."""
    present = values.dropna()
    for part in _PARTS:
        varies = part == "epoch_days" or getattr(present.dt, part).nunique() > 1
        if varies:
            yield Feature(f"{part} of {column.name}", column.name, "part", {"part": part})


def _text(column: Column, values: pd.Series[Any], options: Mapping[str, Any]) -> Iterator[Feature]:
    return iter(())


_FITTERS = {"number": _number, "boolean": _number, "category": _category, "time": _time, "text": _text}
