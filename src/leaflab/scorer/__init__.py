"""What ships inside every model: cleaning rules, encoder, predictor and the MLflow loader.

This package is copied into each model folder, so that a model runs where leaflab is not installed: it imports numpy,
pandas and (only for boosters) lightgbm, and nothing of leaflab. Training and serving run these same lines.

    raw frame ── columns.parse ──▶ typed frame ── encoder ──▶ matrix ── predictor ──▶ probabilities or values
"""

from __future__ import annotations

from .columns import BadTable, Column, parse, typed
from .encoder import Encoder, Feature
from .pyfunc import _load_pyfunc
from .score import Scorer

__all__ = ["BadTable", "Column", "Encoder", "Feature", "Scorer", "_load_pyfunc", "parse", "typed"]
