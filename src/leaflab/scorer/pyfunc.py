"""The door MLflow uses: `mlflow.pyfunc.load_model` calls `_load_pyfunc` with the model's data folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .score import Scorer

__all__ = ["Pyfunc"]


class Pyfunc:
    """Answers as MLflow asks: labels or values, or probabilities with `params={"proba": True}`."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame | np.ndarray:
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
        return self.scorer.predict(frame, proba=bool((params or {}).get("proba", False)))


def _load_pyfunc(path: str) -> Pyfunc:
    return Pyfunc(Scorer.load(Path(path)))
