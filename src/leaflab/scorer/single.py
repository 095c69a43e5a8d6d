"""One row at a time through LightGBM's C interface."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .predictor import Boosters

__all__ = ["RowByRow"]


class RowByRow:
    """LightGBM's own way for single rows, which sets up once what a batch sets up at every call.

    Args:
        predictor: the model; anything but boosters is left to its own `predict`.
        width: number of features.
    """

    def __init__(self, predictor: Any, width: int) -> None:
        self._handles: list[ctypes.c_void_p] = []
        if not isinstance(predictor, Boosters):
            return
        import lightgbm.basic as lightgbm

        self._predictor, self._library = predictor, lightgbm._LIB
        self._outputs = [booster.num_model_per_iteration() for booster in predictor.boosters]
        for booster in predictor.boosters:
            handle = ctypes.c_void_p()
            failed = self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle, 0, 0, booster.best_iteration, 1, ctypes.c_int32(width), b"", ctypes.byref(handle)
            )
            if failed:
                self._handles = []
                return
            self._handles.append(handle)

    @property
    def ready(self) -> bool:
        """Whether it can answer; else the predictor must."""
        return bool(self._handles)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        predictor = self._predictor
        total: Any = 0.0
        for handle, weight, outputs in zip(self._handles, predictor.weights, self._outputs, strict=True):
            total = total + weight * self._each(handle, matrix, outputs)
        if total.ndim == 1 and predictor._binary:
            return np.column_stack([1.0 - total, total])
        return np.asarray(total)

    def _each(self, handle: ctypes.c_void_p, matrix: np.ndarray, outputs: int) -> np.ndarray:
        result = np.empty((len(matrix), outputs))
        length = ctypes.c_int64()
        source, target = matrix.ctypes.data, result.ctypes.data
        for row in range(len(matrix)):
            failed = self._library.LGBM_BoosterPredictForMatSingleRowFast(
                handle,
                ctypes.c_void_p(source + row * matrix.strides[0]),
                ctypes.byref(length),
                ctypes.c_void_p(target + row * outputs * 8),
            )
            if failed:
                raise RuntimeError("LightGBM could not score a row")
        return result[:, 0] if outputs == 1 else result

    def __del__(self) -> None:
        for handle in self._handles:
            self._library.LGBM_FastConfigFree(handle)
