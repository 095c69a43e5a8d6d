"""A source reads one thing from outside, as a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from leaflab.source.payload import Payload
    from leaflab.source.spool import Spool

__all__ = ["BadLine", "Kept", "Reading", "Reread", "Source", "Stream"]

T = TypeVar("T")


@dataclass(frozen=True)
class BadLine:
    """A line that could not be read: where it stood, why, and its raw text."""

    line: int
    reason: str
    raw: str
    source: str = ""


@dataclass(frozen=True)
class Kept:
    """A file that the lake should keep beside the rows made from it.

    Args:
        file: where it lies.
        path: its name in the folder that was read.
        digest: SHA-256 of its bytes (64 hex characters).
        kind: "images", "audio" or "video".
        size: bytes.
        shape: `width` and `height` in pixels, `duration` in seconds, where it has them.
        label: its label, where it has one.
    """

    file: Path
    path: str
    digest: str
    kind: str
    size: int
    shape: Mapping[str, float]
    label: str | None = None


class Reread(Exception):
    """What was assumed of a source from its head proved wrong halfway (text in a column of integers): draw anew.

    Args:
        reading: the same source, read with what is known now; it never asks for the same change twice.
    """

    def __init__(self, reading: Reading) -> None:
        super().__init__("the source must be read anew")
        self.reading = reading


@dataclass
class Reading:
    """What a source gives: a schema and a stream of record batches; `bad` fills while the batches are drawn.

    Args:
        schema: the schema of every batch.
        batches: record batches, drawn once.
        uri: where it came from, without secrets.
        bad: lines set aside, complete only after the last batch.
        notes: sentences for the user (`3 blank rows dropped`).
        media: files to keep in the lake beside the rows.
        rows: how many were drawn, counted by whoever draws them.
        mark: called after the last batch, how far the source was read, as JSON; None where it cannot tell.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    uri: str
    bad: list[BadLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    media: list[Kept] = field(default_factory=list)
    rows: int = 0
    mark: Callable[[], Any] | None = None

    def stream(self) -> pa.RecordBatchReader:
        """The batches as Arrow's stream, drawn once."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self.batches)

    def into(self, use: Callable[[Reading], T]) -> tuple[T, Reading]:
        """Gives this reading to `use`, or the one that replaces it, and returns the result and the reading used."""
        reading = self
        while True:
            try:
                return use(reading), reading
            except Reread as again:
                reading = again.reading

    def table(self) -> pa.Table:
        """All batches as one table; `bad` and `notes` are then complete."""
        import pyarrow as pa

        table, used = self.into(lambda reading: pa.Table.from_batches(list(reading.batches), schema=reading.schema))
        self.bad[:], self.notes[:] = used.bad, used.notes
        return table


class Source(ABC):
    """Contract: `read` touches nothing but what it reads; a failure is a `SourceError` naming what was asked for."""

    @property
    @abstractmethod
    def default_name(self) -> str | None:
        """The dataset's name where none is given: a file's stem, a bundled set's name; None where there is none."""

    def after(self, mark: Any) -> Source:
        """This source without the rows up to a mark (`Reading.mark`); the source itself where it cannot tell."""
        return self

    @abstractmethod
    def read(self) -> Reading:
        """Opens the source.

        Raises:
            SourceError: missing, empty, unreachable, or not what it claims to be.
            ExtraError: the reader's optional package is not installed.
        """


class Stream(Source):
    """Contract: a source without an end; what it delivers is in the spool before the sender is told that it arrived."""

    @property
    @abstractmethod
    def payload(self) -> Payload:
        """How its messages become rows."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where they come from, without secrets."""

    @abstractmethod
    def listening(self, spool: Spool, name: str) -> AbstractContextManager[threading.Event]:
        """Fills the spool as long as the block lasts; the event is set when it cannot go on.

        Raises:
            SourceError: the sender cannot be reached or refuses, or the spool cannot be written.
            ExtraError: the client's package is not installed.
        """
