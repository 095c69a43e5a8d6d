"""A model in service: loaded, proved, and able to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ModelError
from leaflab.scorer.fast import Fast
from leaflab.serve.rowid import RowIds

if TYPE_CHECKING:
    from leaflab.scorer import Scorer
    from leaflab.scorer.fast import Typed
    from leaflab.tracking.base import Registry
    from leaflab.values import Version

__all__ = ["Answer", "Live"]

Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Answer:
    """What one model said to one request.

    Args:
        live: the model.
        typed: the rows as the model read them.
        matrix: the features, shape (rows, features).
        scores: probabilities, shape (rows, classes), or values, shape (rows,).
        ids: one id a row.
    """

    live: Live
    typed: Typed
    matrix: np.ndarray
    scores: np.ndarray
    ids: list[str]

    @property
    def predictions(self) -> list[Any]:
        """Labels or values, as plain Python values."""
        classes = self.live.scorer.classes
        return [classes[k] for k in self.scores.argmax(axis=1)] if classes else self.scores.tolist()


class Live:
    """One model version, ready to answer from any thread.

    Args:
        version: its place in the registry.
        scorer: the model.
        example: rows it was logged with, column name to values.

    Attributes:
        labels: the classes as texts.
        wanted: the columns to take from a request: those the model reads, and those that name a row.
        required: the columns a row must have.
    """

    def __init__(self, version: Version, scorer: Scorer, example: Values) -> None:
        self.version = version
        self.scorer = scorer
        self.example = {c.name: list(example[c.name]) for c in scorer.columns if c.name in example}
        self.fast = Fast(scorer)
        self.ids = RowIds(scorer)
        self.labels = [str(label) for label in scorer.classes]
        self.required = [c.name for c in scorer.columns if c.required]
        self.wanted = [*dict.fromkeys([*(c.name for c in scorer.columns), *(scorer.meta.get("id") or ())])]

    @classmethod
    def load(cls, registry: Registry, version: Version) -> Live:
        """Loads a version, warms it and proves it on its input example.

        Raises:
            ModelError: it cannot be loaded, or answers its own example wrongly.
        """
        live = cls(version, registry.scorer(version), registry.example(version))
        live.prove()
        return live

    def answer(self, values: Values, rows: int) -> Answer:
        """Answers raw rows, column name to one value a row.

        Raises:
            BadTable: a required column is missing, or a value cannot be read under its column's rule.
        """
        typed = self.fast.typed(values, rows)
        matrix = self.fast.matrix(typed)
        return Answer(self, typed, matrix, self.fast.predict(matrix), self.ids(typed, values))

    def prove(self) -> None:
        """Scores the example by the fast and by the batch path; both must agree to the last bit and be finite.

        Raises:
            ModelError: they do not.
        """
        import pandas as pd

        nulls: Values = {c.name: [None] for c in self.scorer.columns}
        values = self.example or nulls
        rows = len(next(iter(values.values()), [None]))
        try:
            fast = self.answer(values, rows).scores
            batch = self.scorer.score(pd.DataFrame(values, index=range(rows)))
        except Exception as error:
            raise ModelError(str(self.version), f"cannot answer its own example ({error})") from error
        if not (np.isfinite(fast).all() and np.array_equal(fast, batch)):
            raise ModelError(str(self.version), "answers its own example wrongly")
