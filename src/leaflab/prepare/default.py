"""The default preparation: safe row-wise rules, each of them reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.errors import ConfigError
from leaflab.option import option
from leaflab.prepare.base import Prepare, Prepared
from leaflab.prepare.checks import Checks
from leaflab.prepare.features import Features, Mapped

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.prepare.spill import Spill
    from leaflab.prepare.streaming import Streaming
    from leaflab.values import Dataset, Raw, Roles

__all__ = ["Default", "Key"]

_MANY = 2_000_000


@option
class Key:
    """`prepare.key`: of the rows with the same values in some columns one stays; the others go to quarantine.

    Args:
        columns: the columns; none: rows have no key.
        keep: the row that stays: the first or the last in the table, or the newest by `dataset.time`.
    """

    columns: list[str] = Field(default_factory=list)
    keep: Literal["first", "last", "newest"] = "last"

    @property
    def reason(self) -> str:
        """Why a row gives way to another with the same key."""
        return f"another row has the same {', '.join(self.columns)}; the {self.keep} one is kept"

    def moments(self, roles: Roles) -> str | None:
        """The column that says which row is the newest; None where that is not asked.

        Raises:
            ConfigError: there is none.
        """
        if self.keep == "newest" and roles.time is None:
            hint = "name the column as dataset.time=COLUMN"
            raise ConfigError("`prepare.key.keep=newest`", "needs a time column", hint=hint)
        return roles.time if self.keep == "newest" else None


@option
class Default(Prepare):
    """Types, missing markers, duplicates, rules, leaks; and what the model's features are made of.

    Args:
        missing: texts (or numbers) that mean "no value" in every column, beside the usual ones (`?`, `NA`, `NULL`…).
        rules: column name to keys of its rule (`kind`, `missing`, `decimal`, `thousands`, `format`, `dayfirst`,
            `scale`, `replace`, `words`, `strip`), for what is not found by itself.
        propose: print a YAML of proposed rules with counts, and make no dataset.
        checks: what rows must satisfy.
        limit: share of rows, 0 to 1, above which refused rows stop the run instead of going to quarantine.
        duplicates: whether rows equal in every column are dropped; "auto" keeps them where most rows are alike.
        key: columns of which every combination may come once.
        near: digits to which numbers are compared for near-duplicates, which stay in one part; 0 to not look.
        impute, scale, encode: what numbers and categories become; learnt on train, part of the model.
        features: further options of features.
        labels: whether to rank training labels by how likely they are wrong.
        label_action: what happens to the likely errors: told in a file to fill in, weighted down, or dropped.
        corrections: that file, filled in.
        annotators: label columns of several people; `dataset.target` is then the name of their consensus.
        stream: whether the table is prepared in bounded memory, in record batches; "auto" from two million rows on.
        leaks: "block" stops at a column from which the target can be read off; "warn" only says so.
        allow_leaks: columns that are allowed to look like leaks.
    """

    missing: list[str | int | float] = Field(default_factory=list)
    rules: Mapped[dict[str, Any]] = Field(default_factory=dict)
    propose: bool = False
    checks: Checks = Field(default_factory=Checks)
    limit: Annotated[float, Field(ge=0, le=1)] = 0.2
    duplicates: Literal["auto", "drop", "keep"] = "auto"
    key: Key = Field(default_factory=Key)
    near: Annotated[int, Field(ge=0, le=12)] = 3
    impute: Literal["none", "median", "mode", "indicator"] = "none"
    scale: Literal["none", "standard", "minmax", "robust", "quantile"] = "none"
    encode: Literal["native", "ordinal", "onehot", "target", "hash"] = "native"
    features: Features = Field(default_factory=Features)
    labels: Literal["none", "confident_learning"] = "none"
    label_action: Literal["review", "weight", "drop"] = "review"
    corrections: str | None = None
    annotators: list[str] = Field(default_factory=list)
    stream: Literal["auto", "never", "always"] = "auto"
    leaks: Literal["block", "warn"] = "block"
    allow_leaks: list[str] = Field(default_factory=list)

    def clean(self, raw: pa.Table, roles: Roles, aside: Sequence[str] = ()) -> Prepared:
        from leaflab.prepare.cleaning import Cleaning
        from leaflab.prepare.kinds import markers

        history = self.features.history
        if history is not None:
            raw = history.added(raw, roles, markers(self.missing), self.rules)
        return Cleaning(raw, roles, self).run(aside)

    def streamed(
        self, rows: int, batches: Callable[[], Iterable[pa.RecordBatch]], roles: Roles, spill: Spill
    ) -> Streaming | None:
        if self.stream == "never" or (self.stream == "auto" and rows < _MANY):
            return None
        from leaflab.prepare.streaming import Streaming

        return Streaming(batches, roles, self, spill)

    def proposal(self, raw: Raw, roles: Roles) -> str:
        if not self.propose:
            return ""
        from leaflab.prepare.proposal import propose

        return propose(raw.table, roles, self.rules)

    def learnt(self) -> dict[str, Any]:
        """The options of features as plain values, for `Dataset.features`."""
        more = self.features
        return {
            "impute": self.impute,
            "scale": self.scale,
            "encode": self.encode,
            "text": more.text,
            "rare": more.rare,
            "buckets": more.buckets,
            "cycles": more.cycles,
            "pairs": {name: list(parts) for name, parts in more.pairs.items()},
            "aggregates": {name: list(parts) for name, parts in more.aggregates.items()},
            "select": more.select,
        }

    def adjust(self, dataset: Dataset) -> Dataset:
        if self.labels == "none":
            return dataset
        from leaflab.prepare.labels import acted, find_issues

        return acted(dataset, find_issues(dataset), self.label_action)

    def check(self, dataset: Dataset) -> Mapping[str, Any]:
        from leaflab.prepare.leaks import find_leaks

        found = find_leaks(dataset)
        open_ones = [f for f in found.findings if not set(f.columns) <= set(self.allow_leaks)]
        certain = [f for f in open_ones if f.certain]
        return {
            "findings": [f.plain() for f in found.findings],
            "strengths": dict(found.strengths),
            "leaks": sorted({column for f in certain for column in f.columns}),
            "suspects": sorted({column for f in open_ones if not f.certain for column in f.columns}),
            "blocked": [f.reason for f in certain] if self.leaks == "block" else [],
        }
