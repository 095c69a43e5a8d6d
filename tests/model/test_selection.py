"""Null importances keep what carries signal."""

from __future__ import annotations

import numpy as np
import pytest

from leaflab.model.selection import worth_keeping


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_noise_is_not_kept(outputs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 8))
    signal = x[:, 0] + x[:, 1]
    target = signal if outputs == 1 else np.digitize(signal, [0.0, 1.0][: outputs - 1]).astype("float64")
    kept = worth_keeping(x, target, outputs, [])
    assert kept[:2].all()
    assert kept[2:].sum() <= 3


def test_something_always_stays():
    rng = np.random.default_rng(0)
    kept = worth_keeping(rng.normal(size=(300, 4)), rng.integers(0, 2, 300).astype("float64"), 2, [])
    assert kept.any()
