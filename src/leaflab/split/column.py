"""Parts that the table itself names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from leaflab.errors import ConfigError, DataError
from leaflab.option import option
from leaflab.split.shares import TEST, TRAIN, VALID, Sized, check, draws, keys_of

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Column"]

_HINTS = {TRAIN: ("train", "fit"), VALID: ("val", "dev"), TEST: ("test", "holdout", "eval")}


@option
class Column(Sized):
    """A column's values say which part a row belongs to; the column is no feature.

    Args:
        column: the raw column.
        train: its values for train; empty: those that look like it ("train", "training", "datatraining").
        valid: its values for validation; where no row has one, validation rows are drawn from train.
        test: its values for test.
    """

    column: str | None = None
    train: list[str] = Field(default_factory=list)
    valid: list[str] = Field(default_factory=list)
    test: list[str] = Field(default_factory=list)

    @property
    def aside(self) -> tuple[str, ...]:
        if not self.column:
            raise ConfigError("`split.column`", "must name the column that says which part a row belongs to")
        return (self.column,)

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        import numpy as np
        import pandas as pd

        (name,) = self.aside
        if prepared.aside is None or name not in prepared.aside.column_names:
            raise DataError("`split.column`", "must name a column of the table", got=name)
        words = prepared.aside[name].to_pandas().astype("str").str.strip()
        codes, values = pd.factorize(words, use_na_sentinel=False)
        of_value = np.array([self._part(str(value)) for value in values], dtype="int8")
        parts = of_value[codes]
        if not (parts == VALID).any():
            drawn = draws(keys_of(prepared), seed)
            parts = np.where((parts == TRAIN) & (drawn < self.valid_size), VALID, parts).astype("int8")
        return check(parts, prepared, test=False)

    def _part(self, value: str) -> int:
        given = {TRAIN: self.train, VALID: self.valid, TEST: self.test}
        for part, listed in given.items():
            if value in listed:
                return part
        if not any(given.values()):
            for part, words in _HINTS.items():
                if any(word in value.casefold() for word in words):
                    return part
        hint = "say which values make which part with split.train, split.valid and split.test"
        raise DataError(f"column {self.column!r}", "must name a part in every row", got=value, hint=hint)
