"""The default preparation: safe row-wise rules, each of them reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.option import option
from leaflab.prepare.base import Prepare, Prepared

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.values import Dataset, Roles

__all__ = ["Default"]


@option
class Default(Prepare):
    """Types, missing markers, exact duplicates, rows without a target.

    Args:
        missing: texts (or numbers) that mean "no value" in every column, beside the usual ones (`?`, `NA`, `NULL`…).
        rules: column name to keys of its rule (`kind`, `missing`, `decimal`, `thousands`, `format`, `dayfirst`,
            `scale`, `replace`, `words`, `strip`), for what is not found by itself.
        duplicates: whether rows equal in every column are dropped.
        limit: share of rows, 0 to 1, above which refused rows stop the run instead of going to quarantine.
        leaks: "block" stops at a column from which the target can be read off; "warn" only says so.
        allow_leaks: columns that are allowed to look like leaks.
    """

    missing: list[str | int | float] = Field(default_factory=list)
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    duplicates: Literal["drop", "keep"] = "drop"
    limit: Annotated[float, Field(ge=0, le=1)] = 0.2
    leaks: Literal["block", "warn"] = "block"
    allow_leaks: list[str] = Field(default_factory=list)

    def clean(self, raw: pa.Table, roles: Roles, aside: Sequence[str] = ()) -> Prepared:
        from leaflab.prepare.cleaning import Cleaning

        missing = tuple(str(m) for m in self.missing)
        return Cleaning(raw, roles, missing, self.rules, drop=self.duplicates == "drop", limit=self.limit).run(aside)

    def check(self, dataset: Dataset) -> Mapping[str, Any]:
        from leaflab.prepare.leaks import find_leaks

        findings = find_leaks(dataset)
        open_ones = [f for f in findings if not set(f.columns) <= set(self.allow_leaks)]
        certain = [f for f in open_ones if f.certain]
        return {
            "findings": [f.plain() for f in findings],
            "leaks": sorted({column for f in certain for column in f.columns}),
            "suspects": sorted({column for f in open_ones if not f.certain for column in f.columns}),
            "blocked": [f.reason for f in certain] if self.leaks == "block" else [],
        }
