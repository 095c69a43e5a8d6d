"""Imputing and scaling: what scikit-learn learns, the scorer applies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import preprocessing

from leaflab.model.scaling import number_features
from leaflab.scorer import Column, Encoder

COLUMN = Column("n", "number")


def values(rows=300):
    numbers = np.random.default_rng(0).gamma(2, 3, rows).round(1)
    numbers[::17] = np.nan
    return pd.DataFrame({"n": numbers})


def encoded(frame, **options):
    encoder = Encoder(tuple(number_features(COLUMN, frame["n"], options)))
    return encoder.names, encoder.encode(frame)


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "quantile"])
def test_scales_as_sklearn_does(scale):
    scalers = {
        "standard": preprocessing.StandardScaler(),
        "minmax": preprocessing.MinMaxScaler(),
        "robust": preprocessing.RobustScaler(),
        "quantile": preprocessing.QuantileTransformer(n_quantiles=100),
    }
    frame = values()
    present = frame[["n"]].dropna()
    expected = scalers[scale].fit(present.to_numpy()).transform(present.to_numpy())[:, 0]
    _, matrix = encoded(frame, scale=scale)
    np.testing.assert_allclose(matrix[frame["n"].notna(), 0], expected, atol=1e-9)
    assert np.isnan(matrix[frame["n"].isna(), 0]).all()


@pytest.mark.parametrize("impute", ["median", "mode", "indicator"])
def test_fills_what_is_missing(impute):
    frame = values()
    names, matrix = encoded(frame, impute=impute)
    fill = frame["n"].mode()[0] if impute == "mode" else frame["n"].median()
    assert (matrix[frame["n"].isna(), 0] == fill).all()
    assert names == (["n", "n is missing"] if impute == "indicator" else ["n"])


def test_a_column_without_values_stays_as_it_is():
    names, matrix = encoded(pd.DataFrame({"n": [np.nan] * 5}), scale="standard", impute="median")
    assert names == ["n"]
    assert np.isnan(matrix).all()
