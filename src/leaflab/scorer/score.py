"""A whole model: raw table in, answers out; a folder on disk, or its files in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .columns import Column, typed
from .encoder import Encoder
from .predictor import Predictor, predictor_from

__all__ = ["FORMAT", "Scorer"]

FORMAT = 1


@dataclass(frozen=True)
class Scorer:
    """Everything a model needs to answer.

    Args:
        task: "binary", "multiclass" or "regression".
        classes: the labels (str, bool, int or float) in the order of the probabilities; for a binary task the
            negative one first; empty for regression.
        columns: the raw columns it reads and the rules that type them.
        encoder: typed columns to matrix.
        predictor: matrix to probabilities or values.
        meta: facts for people (dataset id, target, versions); not used to answer.
    """

    task: str
    classes: tuple[Any, ...]
    columns: tuple[Column, ...]
    encoder: Encoder
    predictor: Predictor
    meta: Mapping[str, Any] = field(default_factory=dict)

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The matrix of a raw frame, shape (rows, features)."""
        return self.encoder.encode(typed(frame, self.columns))

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Probabilities, shape (rows, classes), or values, shape (rows,), of a raw frame."""
        return self.predictor.predict(self.matrix(frame))

    def labels(self, scores: np.ndarray) -> np.ndarray:
        """The answers for people: the likeliest label a row, or the values as they are."""
        if not self.classes:
            return scores
        kinds = {type(c) for c in self.classes}
        names = np.array(self.classes, dtype=None if len(kinds) == 1 and kinds != {str} else object)
        return np.asarray(names[np.argmax(scores, axis=1)])

    def predict(self, frame: pd.DataFrame, *, proba: bool = False) -> pd.DataFrame | np.ndarray:
        """Labels or values, shape (rows,); with `proba` a frame with one column `proba_<class>` a class."""
        scores = self.score(frame)
        if proba and self.classes:
            return pd.DataFrame(scores, columns=[f"proba_{c}" for c in self.classes], index=frame.index)
        return self.labels(scores)

    def files(self) -> dict[str, str]:
        """The model as files: name to text."""
        plain = {
            "format": FORMAT,
            "task": self.task,
            "classes": list(self.classes),
            "columns": [c.to_json() for c in self.columns],
            "features": self.encoder.to_json(),
            "predictor": self.predictor.to_json(),
            "meta": dict(self.meta),
        }
        return {"model.json": json.dumps(plain, ensure_ascii=False, indent=1), **self.predictor.texts()}

    def save(self, folder: Path) -> None:
        """Writes the model's files into a new folder."""
        folder.mkdir(parents=True)
        for name, text in self.files().items():
            (folder / name).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """The model of a folder written by `save`."""
        return cls.from_files({p.name: p.read_text(encoding="utf-8") for p in folder.iterdir() if p.is_file()})

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Scorer:
        plain = json.loads(files["model.json"])
        if plain["format"] > FORMAT:
            raise ValueError(f"the model has format {plain['format']}, this loader reads up to {FORMAT}")
        return cls(
            task=plain["task"],
            classes=tuple(plain["classes"]),
            columns=tuple(Column.from_json(c) for c in plain["columns"]),
            encoder=Encoder.from_json(plain["features"]),
            predictor=predictor_from(plain["predictor"], files),
            meta=plain["meta"],
        )
