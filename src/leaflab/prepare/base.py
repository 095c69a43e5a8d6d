"""A preparation turns a raw table into a typed, checked one, and says what it did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from leaflab.prepare.spill import Spill
    from leaflab.prepare.streaming import Streaming
    from leaflab.scorer import Column
    from leaflab.values import Dataset, Raw, Roles, Task

KEPT = 100_000
"""Most rows of one rule that a quarantine table shows of a large table."""

__all__ = ["KEPT", "Prepare", "Prepared", "QuarantineRow"]


@dataclass(frozen=True)
class QuarantineRow:
    """A row set aside: its place in the raw table, the rule that refused it, the reason, and the row's text."""

    source: str
    line: int
    rule: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Prepared:
    """The typed table before the split.

    Args:
        table: `row_id`, feature columns, target, and the weight, time and group columns where named.
        columns: the model's input columns and their rules.
        task: resolved task.
        roles: resolved roles.
        classes: labels in output order; () for regression.
        quarantine: rows set aside.
        facts: counts and findings, as plain values (`rows_in`, `rows_out`, `duplicates`, `quarantined` by rule, …).
        notes: sentences for the user, printed and kept in the report.
        features: options of the encoders the model will fit.
        aside: raw columns asked for by the split, row by row as in `table`.
        monotone: feature name to -1 or 1.
        keys: 64-bit hashes that random draws start from, shape (rows,): rows with one key stay in one part; None: those
            of their `row_id`.
        near: rows that share their key with near-duplicates.
        lines, texts: place of each row in the raw table, shape (rows,), and what gives the raw rows at some places.
    """

    table: pa.Table
    columns: tuple[Column, ...]
    task: Task
    roles: Roles
    classes: tuple[Any, ...]
    quarantine: tuple[QuarantineRow, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    features: Mapping[str, Any] = field(default_factory=dict)
    aside: pa.Table | None = None
    monotone: Mapping[str, int] = field(default_factory=dict)
    keys: NDArray[np.uint64] | None = None
    near: NDArray[np.int64] | None = None
    lines: NDArray[np.int64] | None = None
    texts: Callable[[NDArray[np.int64]], Iterable[str]] | None = None

    def set_aside(self, rows: NDArray[np.int64], rule: str, reason: str) -> Prepared:
        """The same with some rows of `table` in quarantine; the table still holds them, for the split to leave out."""
        if not len(rows) or self.lines is None or self.texts is None:
            return self
        lines = self.lines[rows]
        told = zip(lines.tolist()[:KEPT], self.texts(lines[:KEPT]), strict=True)
        facts = dict(self.facts) | {"rows_out": self.facts["rows_out"] - len(rows)}
        facts["quarantined"] = {**facts["quarantined"], rule: len(rows)}
        return replace(
            self,
            quarantine=(*self.quarantine, *(QuarantineRow("", line, rule, reason, text) for line, text in told)),
            facts=facts,
            notes=(*self.notes, f"{len(rows):,} rows set aside: {reason}"),
        )


class Prepare(ABC):
    """Contract: row-wise rules only before the split; rows in = rows out + duplicates + quarantined."""

    @abstractmethod
    def clean(self, raw: pa.Table, roles: Roles, aside: Sequence[str] = ()) -> Prepared:
        """Applies the row-wise rules.

        Args:
            raw: the raw table.
            roles: what its columns are for.
            aside: columns kept out of the dataset that the split reads.

        Raises:
            DataError: the target is missing, constant or all null; too few rows; a rule that cannot hold.
        """

    def streamed(
        self, rows: int, batches: Callable[[], Iterable[pa.RecordBatch]], roles: Roles, spill: Spill
    ) -> Streaming | None:
        """The preparation of a table of so many rows in bounded memory; None where `clean` is to do it."""
        return None

    def proposal(self, raw: Raw, roles: Roles) -> str:
        """Rules to look at, as YAML text, instead of a dataset; empty where none were asked for."""
        return ""

    def adjust(self, dataset: Dataset) -> Dataset:
        """The dataset after what learns from its training rows (labels set aside or weighted); itself by default."""
        return dataset

    @abstractmethod
    def check(self, dataset: Dataset) -> Mapping[str, Any]:
        """Looks at the split dataset and returns findings for `Dataset.facts`, as plain values.

        `blocked`: sentences that stop the dataset from being made, empty where it may; `leaks`: columns that leak
        for certain and are kept all the same; `suspects`: columns that may.
        """
