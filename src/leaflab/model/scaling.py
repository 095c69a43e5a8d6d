"""Imputing and scaling of numbers: scikit-learn fits, the scorer applies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.scorer.encoder import Feature

if TYPE_CHECKING:
    import pandas as pd

    from leaflab.scorer.columns import Column

__all__ = ["number_features"]

_QUANTILES = 100


def number_features(column: Column, values: pd.Series[Any], options: Mapping[str, Any]) -> Iterator[Feature]:
    """A number as it is, or filled and scaled; with `impute: indicator` also whether it was missing."""
    name, impute, scale = column.name, options.get("impute", "none"), options.get("scale", "none")
    matrix = values.to_numpy("float64", na_value=np.nan).reshape(-1, 1)
    state: dict[str, Any] = {}
    if np.isfinite(matrix).any():
        state |= _filled(matrix, impute) | _scaled(matrix, scale)
    yield Feature(name, name, "scaled", state) if state else Feature(name, name, "number")
    if impute == "indicator" and np.isnan(matrix).any():
        yield Feature(f"{name} is missing", name, "missing")


def _filled(matrix: np.ndarray, impute: str) -> dict[str, Any]:
    if impute == "none":
        return {}
    from sklearn.impute import SimpleImputer

    strategy = "most_frequent" if impute == "mode" else "median"
    return {"fill": float(SimpleImputer(strategy=strategy).fit(matrix).statistics_[0])}


def _scaled(matrix: np.ndarray, scale: str) -> dict[str, Any]:
    if scale == "none":
        return {}
    from sklearn import preprocessing

    if scale == "standard":
        standard = preprocessing.StandardScaler().fit(matrix)
        return {"center": float(standard.mean_[0]), "scale": float(standard.scale_[0])}
    if scale == "robust":
        robust = preprocessing.RobustScaler().fit(matrix)
        return {"center": float(robust.center_[0]), "scale": float(robust.scale_[0])}
    if scale == "minmax":
        between = preprocessing.MinMaxScaler().fit(matrix)
        return {"center": float(between.data_min_[0]), "scale": float(1 / between.scale_[0])}
    if scale == "quantile":
        present = matrix[~np.isnan(matrix[:, 0])]
        ranks = preprocessing.QuantileTransformer(n_quantiles=min(_QUANTILES, len(present))).fit(present)
        return {"quantiles": ranks.quantiles_[:, 0].tolist(), "references": ranks.references_.tolist()}
    return {}
