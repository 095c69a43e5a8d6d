"""Whole groups drawn, so that no group stands in two parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError
from leaflab.option import option
from leaflab.split.shares import TEST, TRAIN, VALID, Sized, check, draws

if TYPE_CHECKING:
    import numpy as np

    from leaflab.prepare.base import Prepared

__all__ = ["Group"]


@option
class Group(Sized):
    """Each group of `dataset.group` by its own draw; where groups are so few that a part stays empty, by their rank."""

    def assign(self, prepared: Prepared, seed: int) -> np.ndarray:
        import numpy as np
        import pandas as pd

        column = prepared.roles.group
        if column is None:
            raise ConfigError("`split=group`", "needs a group column", hint="name it as dataset.group=COLUMN")
        codes, groups = pd.factorize(prepared.table[column].to_pandas())
        needed = 3 if self.tests else 2
        if len(groups) < needed:
            raise DataError(f"group column {column!r}", f"must have at least {needed} groups", got=len(groups))
        draw = draws(np.asarray(groups, dtype=object), seed)
        parts = self.by_draw(draw)
        wanted = {TRAIN, VALID, TEST} if self.tests else {TRAIN, VALID}
        if set(np.unique(parts)) != wanted:
            parts = self._by_rank(draw)
        return check(parts[codes], prepared, test=self.tests)

    def _by_rank(self, draw: np.ndarray) -> np.ndarray:
        import numpy as np

        total, parts = len(draw), np.full(len(draw), TRAIN, dtype="int8")
        order = np.argsort(draw, kind="stable")
        if self.folds:
            test = np.array_split(order, self.folds)[self.fold]
        else:
            test = order[: min(max(1, round(self.test_size * total)), total - 2)] if self.test_size else order[:0]
        rest = np.setdiff1d(order, test, assume_unique=True)
        parts[test] = TEST
        parts[rest[: min(max(1, round(self.valid_size * len(rest))), len(rest) - 1)]] = VALID
        return parts
