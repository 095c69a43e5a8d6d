"""The options of features beyond scale, encode and impute; they are learnt on train and live in the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field

from leaflab.errors import ConfigError
from leaflab.option import option
from leaflab.prepare.history import History

__all__ = ["Features", "Mapped"]

Sign = Literal[-1, 1]
Pair = Literal["ratio", "product", "sum", "difference"]
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
        history: columns made of earlier rows (lags, windows).
        monotone: numeric column to 1 (the answer never falls as it rises) or -1; the model keeps to it.
    """

    text: Literal["none", "hash", "tfidf"] = "none"
    rare: Annotated[int, Field(ge=0)] = 0
    buckets: Annotated[int, Field(ge=2, le=4096)] = 64
    cycles: bool = False
    pairs: Mapped[tuple[str, Pair, str]] = Field(default_factory=dict)
    aggregates: Mapped[tuple[str, Statistic, str]] = Field(default_factory=dict)
    select: Literal["none", "null_importance"] = "none"
    history: History | None = None
    monotone: Mapped[Sign] = Field(default_factory=dict)

    def checked(self, kinds: Mapping[str, str]) -> Mapping[str, int]:
        """The monotone constraints; they, pairs and aggregates must name features that can do it.

        Args:
            kinds: feature to kind.

        Raises:
            ConfigError: a name that is no such feature.
        """
        numeric = {name for name, kind in kinds.items() if kind in ("number", "boolean")}
        words = {name for name, kind in kinds.items() if kind == "category"}
        for name in self.monotone:
            if name not in numeric:
                raise ConfigError("`prepare.features.monotone`", "must name numeric feature columns", got=name)
        for made, (one, _, other) in self.pairs.items():
            for name in (one, other):
                if name not in numeric:
                    key = f"`prepare.features.pairs.{made}`"
                    raise ConfigError(key, "must join two numeric feature columns", got=name)
        for made, (number, how, category) in self.aggregates.items():
            if number not in numeric or category not in words:
                key = f"`prepare.features.aggregates.{made}`"
                rule = "must read [numeric column, statistic, category column]"
                raise ConfigError(key, rule, got=[number, how, category])
        return self.monotone
