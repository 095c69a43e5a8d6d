"""A source reads one thing from outside, as a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = ["BadLine", "Reading", "Source"]


@dataclass(frozen=True)
class BadLine:
    """A line that could not be read: where it stood, why, and its raw text."""

    line: int
    reason: str
    raw: str
    source: str = ""


@dataclass
class Reading:
    """What a source gives: a schema and a stream of record batches; `bad` fills while the batches are drawn.

    Args:
        schema: the schema of every batch.
        batches: record batches, drawn once.
        uri: where it came from, without secrets.
        bad: lines set aside, complete only after the last batch.
        notes: sentences for the user (`3 blank rows dropped`).
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    uri: str
    bad: list[BadLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> pa.Table:
        """All batches as one table."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self.batches), schema=self.schema)


class Source(ABC):
    """Contract: `read` touches nothing but what it reads; a failure is a `SourceError` naming what was asked for."""

    @property
    @abstractmethod
    def default_name(self) -> str | None:
        """The dataset's name where none is given: a file's stem, a bundled set's name; None where there is none."""

    @abstractmethod
    def read(self) -> Reading:
        """Opens the source.

        Raises:
            SourceError: missing, empty, unreachable, or not what it claims to be.
            ExtraError: the reader's optional package is not installed.
        """
