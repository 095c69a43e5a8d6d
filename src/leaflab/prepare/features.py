"""The options of features beyond scale, encode and impute; they are learnt on train and live in the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field

from leaflab.errors import ConfigError
from leaflab.option import option

__all__ = ["Features", "Mapped"]

Sign = Literal[-1, 1]
Statistic = Literal["mean", "median", "min", "max", "std"]

T = TypeVar("T")
Mapped = Annotated[dict[str, T], BeforeValidator(lambda given: given or {})]
"""A mapping by column name; null, which the command line can replace by any mapping, is the empty one."""


@option
class Features:
    """`prepare.features`.

    Args:
        text: what free text becomes: nothing, hashed word counts, or the weighted counts of its commonest words.
        rare: categories with fewer training rows share one code with those never seen; 0 keeps every category.
        buckets: width of hashed text, hashed categories and of the vocabulary.
        cycles: times as places on circles (sine and cosine) instead of plain parts.
        pairs: feature name to [column, ratio | product | sum | difference, column].
        aggregates: feature name to [numeric column, mean | median | min | max | std, category column].
        select: "null_importance" keeps the features that gain more from the target than from shuffled ones.
        monotone: numeric column to 1 (the answer never falls as it rises) or -1; the model keeps to it.
    """

    text: Literal["none", "hash", "tfidf"] = "none"
    rare: Annotated[int, Field(ge=0)] = 0
    buckets: Annotated[int, Field(ge=2, le=4096)] = 64
    cycles: bool = False
    pairs: Mapped[tuple[str, str, str]] = Field(default_factory=dict)
    aggregates: Mapped[tuple[str, Statistic, str]] = Field(default_factory=dict)
    select: Literal["none", "null_importance"] = "none"
    monotone: Mapped[Sign] = Field(default_factory=dict)

    def checked(self, kinds: Mapping[str, str], names: Sequence[str]) -> Mapping[str, int]:
        """The monotone constraints, if they name numeric features.

        Raises:
            ConfigError: a name that is no numeric feature.
        """
        for name in self.monotone:
            if name not in names or kinds[name] not in ("number", "boolean"):
                raise ConfigError("`prepare.features.monotone`", "must name numeric feature columns", got=name)
        return self.monotone
