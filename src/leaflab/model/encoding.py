"""What a model's features learn: fitted on the training rows alone, applied by the scorer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.model.scaling import number_features
from leaflab.model.selection import worth_keeping
from leaflab.scorer.encoder import OPS, Encoder, Feature, words

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer.columns import Column
    from leaflab.values import Dataset

__all__ = ["fit_encoder", "labels_of", "training_matrix"]

Options = Mapping[str, Any]

_PARTS = ("epoch_days", "month", "day", "dayofweek", "hour", "minute")
_PERIODS = {"month": 12, "day": 31, "dayofweek": 7, "hour": 24, "minute": 60}
_ONEHOT = 100
_BUCKETS = 64
_FOLDS = 5


def fit_encoder(dataset: Dataset, frame: pd.DataFrame) -> Encoder:
    """The encoder of a dataset's features.

    Args:
        dataset: its columns and the options of its features (`encode`, `scale`, `impute`, `text`, `rare`, `cycles`,
            `pairs`, `aggregates`, `select`; see `leaflab.prepare.features`).
        frame: the typed training rows, as `dataset.parts["train"].to_pandas()` gives them.
    """
    features: list[Feature] = []
    for column in dataset.columns:
        values = frame[column.name]
        if column.kind == "category" and dataset.features.get("encode") == "target":
            features += _target(dataset, column.name, frame)
        else:
            features += _FITTERS[column.kind](column, values, dataset.features)
    features += _pairs(dataset)
    features += _aggregates(dataset, frame)
    encoder = Encoder(tuple(features))
    return _selected(dataset, encoder, frame) if dataset.features.get("select") == "null_importance" else encoder


def _selected(dataset: Dataset, encoder: Encoder, frame: pd.DataFrame) -> Encoder:
    matrix = training_matrix(dataset, encoder, frame)
    target = labels_of(dataset, frame).astype("float64")
    kept = worth_keeping(matrix, target, dataset.outputs, encoder.categorical)
    return Encoder(tuple(f for f, keep in zip(encoder.features, kept, strict=True) if keep))


def training_matrix(dataset: Dataset, encoder: Encoder, frame: pd.DataFrame) -> np.ndarray:
    """The matrix of the training rows themselves: target encodings are made out of fold, so that no row sees its own.

    Args:
        dataset: the dataset the encoder was fitted for.
        encoder: what `fit_encoder` gave.
        frame: the typed training rows it was fitted on.
    """
    matrix = encoder.encode(frame)
    places: dict[str, list[int]] = {}
    for place, feature in enumerate(encoder.features):
        if feature.op == "mean":
            places.setdefault(feature.column, []).append(place)
    for column, at in places.items():
        matrix[:, at] = _target_encoder(len(frame)).fit_transform(_column(frame, column), labels_of(dataset, frame))
    return matrix


def _category(column: Column, values: pd.Series[Any], options: Options) -> Iterator[Feature]:
    name, how = column.name, options.get("encode", "native")
    if how == "hash":
        yield Feature(name, name, "hash", {"buckets": options.get("buckets", _BUCKETS)}, categorical=True)
        return
    kept = levels(values, least=options.get("rare", 0))
    state: dict[str, Any] = {"levels": kept}
    if options.get("impute") == "mode" and kept:
        state["fill"] = kept[0]
    if options.get("rare", 0):
        state["others"] = True
    if how == "onehot":
        for level in kept[:_ONEHOT]:
            yield Feature(f"{name} is {level}", name, "level", {"level": level})
        return
    if how == "ordinal":
        state["levels"] = sorted(kept)
    yield Feature(name, name, "codes", state, categorical=how == "native")


def levels(values: pd.Series[Any], least: int = 0) -> list[str]:
    """The categories that at least so many rows have, the commonest first; ties in the order of the alphabet."""
    counts = values.value_counts()
    counts = counts[counts >= least]
    order = np.lexsort((counts.index.to_numpy(dtype=object).astype(str), -counts.to_numpy()))
    return [str(level) for level in counts.index[order]]


def _target(dataset: Dataset, name: str, frame: pd.DataFrame) -> Iterator[Feature]:
    """The smoothed mean target of each level, one feature a class where there are more than two."""
    fitted = _target_encoder(len(frame)).fit(_column(frame, name), labels_of(dataset, frame))
    known = [str(level) for level in fitted.categories_[0]]
    many = dataset.outputs > 2
    means = np.atleast_1d(fitted.target_mean_)
    for number, values in enumerate(fitted.encodings_):
        state = {"levels": known, "values": [float(v) for v in values], "default": float(means[number])}
        label = f"mean {dataset.target} of {name}"
        yield Feature(f"{label} ({dataset.classes[number]})" if many else label, name, "mean", state)


def _target_encoder(rows: int) -> Any:
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    return TargetEncoder(smooth="auto", cv=KFold(min(_FOLDS, rows), shuffle=True, random_state=0))


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A category as sklearn wants it, missing as a level of its own that no text can be."""
    return np.asarray(frame[[name]].astype(object).where(frame[[name]].notna(), "\0missing").to_numpy())


def labels_of(dataset: Dataset, frame: pd.DataFrame) -> np.ndarray:
    """Class codes or values of typed rows, shape (rows,)."""
    target = frame[dataset.target]
    if not dataset.classes:
        return target.to_numpy("float64")
    return np.asarray(target.map({label: code for code, label in enumerate(dataset.classes)}).to_numpy("int64"))


def _time(column: Column, values: pd.Series[Any], options: Options) -> Iterator[Feature]:
    """The parts of a time that vary on the training rows, as numbers or as places on a circle."""
    present = values.dropna()
    for part in _PARTS:
        if part != "epoch_days" and len(np.unique(OPS["part"](present, {"part": part}))) <= 1:
            continue
        if options.get("cycles") and part in _PERIODS:
            for axis in ("sin", "cos"):
                state = {"part": part, "period": _PERIODS[part], "axis": axis}
                yield Feature(f"{axis} of {part} of {column.name}", column.name, "cycle", state)
        else:
            yield Feature(f"{part} of {column.name}", column.name, "part", {"part": part})


def _text(column: Column, values: pd.Series[Any], options: Options) -> Iterator[Feature]:
    how, name, size = options.get("text", "none"), column.name, options.get("buckets", _BUCKETS)
    if how == "hash":
        for bucket in range(size):
            yield Feature(f"words {bucket} of {name}", name, "word", {"bucket": bucket, "of": size})
    elif how == "tfidf" and values.notna().any():
        from sklearn.feature_extraction.text import TfidfVectorizer

        fitted = TfidfVectorizer(max_features=size, analyzer=words, norm=None)
        try:
            fitted.fit(values.dropna())
        except ValueError:
            return
        for term, place in sorted(fitted.vocabulary_.items()):
            yield Feature(f"'{term}' in {name}", name, "term", {"term": term, "weight": float(fitted.idf_[place])})


def _pairs(dataset: Dataset) -> Iterator[Feature]:
    """`pairs`: feature name to [column, operation, column]."""
    for name, (one, how, other) in dataset.features.get("pairs", {}).items():
        yield Feature(name, one, how, {"other": other})


def _aggregates(dataset: Dataset, frame: pd.DataFrame) -> Iterator[Feature]:
    """`aggregates`: feature name to [number, statistic, category]: what the training rows of a category have of it."""
    for name, (number, how, category) in dataset.features.get("aggregates", {}).items():
        found = getattr(frame.groupby(category)[number], how)().dropna()
        levels = [str(level) for level in found.index]
        state = {
            "levels": levels,
            "values": found.astype("float64").tolist(),
            "default": float(getattr(frame[number], how)()),
        }
        yield Feature(name, category, "lookup", state)


_FITTERS = {"number": number_features, "boolean": number_features, "category": _category, "time": _time, "text": _text}
