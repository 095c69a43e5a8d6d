"""The rows of a raw table that leave it, each under the rule that refused it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from leaflab.errors import DataError
from leaflab.prepare.base import QuarantineRow

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["EXPECTED", "Refusals", "texts", "too_many"]

EXPECTED = ("target_null", "duplicate_key", "near_duplicate")
"""Rules that refuse rows of a healthy table: they do not count against the limit."""


@dataclass
class Refusals:
    """Rows by their place in the raw table; the first rule that refuses a row keeps it.

    Args:
        raw: the raw table.
    """

    raw: pa.Table
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, rows: NDArray[np.bool_], rule: str, reason: str) -> None:
        """Refuses the rows of a mask, shape (rows,)."""
        for row in np.flatnonzero(rows):
            self.refused.setdefault(int(row), (rule, reason))

    @property
    def kept(self) -> NDArray[np.bool_]:
        """The rows that stay, shape (rows,)."""
        kept = np.ones(self.raw.num_rows, bool)
        kept[list(self.refused)] = False
        return kept

    @property
    def by_rule(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for rule, _ in self.refused.values():
            counts[rule] = counts.get(rule, 0) + 1
        return counts

    def stop_above(self, limit: float) -> None:
        """Raises a DataError where a larger share than `limit` of the rows is broken."""
        reasons = dict(reversed(self.refused.values()))
        too_many(self.by_rule, reasons, self.raw.num_rows, limit)

    def quarantine(self) -> Iterator[QuarantineRow]:
        """The rows as the quarantine table keeps them."""
        lines = sorted(self.refused)
        for line, text in zip(lines, self.texts(np.array(lines, dtype="int64")), strict=True):
            yield QuarantineRow("", line, *self.refused[line], text)

    def texts(self, lines: NDArray[np.int64]) -> Iterator[str]:
        """Raw rows as JSON."""
        return texts(self.raw, lines)


def texts(rows: pa.Table | pa.RecordBatch, lines: NDArray[np.int64]) -> Iterator[str]:
    """Some rows as JSON."""
    import pyarrow as pa

    taken = rows.take(pa.array(lines))
    plain = (c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in taken.columns)
    for row in zip(*(column.to_pylist() for column in plain), strict=True):
        yield json.dumps(dict(zip(rows.schema.names, row, strict=True)), ensure_ascii=False, default=str)


def too_many(counts: dict[str, int], reasons: dict[str, str], total: int, limit: float) -> None:
    """Refuses a table of which more than `limit` is broken, or nothing is left.

    Raises:
        DataError: with the rule that refused most.
    """
    gone = sum(counts.values())
    broken = sum(n for rule, n in counts.items() if rule not in EXPECTED)
    if gone and (gone == total or broken > limit * total):
        worst = max(counts, key=lambda rule: counts[rule])
        rule = f"must refuse at most {limit:.0%} of the rows; {gone:,} of {total:,} would leave"
        raise DataError("`prepare.limit`", f"{rule}, most by {worst!r} ({reasons[worst]})")
