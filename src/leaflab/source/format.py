"""What every file format offers, and how column types seen in different places become one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaflab.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from leaflab.source.base import BadLine
    from leaflab.source.piece import Piece

__all__ = ["Findings", "Format", "Surprise", "as_text", "merged", "wider"]


class Surprise(Exception):
    """A value or an encoding that the head of a file did not announce."""


@dataclass
class Findings:
    """What reading turned up: bad lines, blank rows, and sentences for the user."""

    bad: list[BadLine] = field(default_factory=list)
    blank: int = 0
    notes: list[str] = field(default_factory=list)

    def dropped(self, count: int, what: str) -> None:
        """Notes how many blank rows or columns went."""
        if count:
            self.tell(f"{count:,} blank {what if count == 1 else what + 's'} dropped")

    def tell(self, sentence: str) -> None:
        """Notes a sentence once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


class Format(ABC):
    """One way of writing tables to files; an instance serves one reading and may remember what it learnt."""

    @abstractmethod
    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        """Column names and types of a file: by its head, or by all of it.

        Raises:
            SourceError: the file is empty or not of this format.
        """

    @abstractmethod
    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        """The rows under this schema.

        Raises:
            Surprise: a value does not fit the schema; with a schema drawn from whole files this cannot happen.
            SourceError: the file is damaged beyond single lines.
        """


def wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The narrowest type that holds the values of both; text where there is none."""
    import pyarrow as pa

    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = [t for t in (one, other) if pa.types.is_integer(t) or pa.types.is_floating(t)]
    if len(numbers) == 2:
        floats = [t for t in numbers if pa.types.is_floating(t)]
        return pa.float64() if floats else pa.int64()
    return pa.string()


def merged(schemas: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """One schema of several files, the columns in the order of the first.

    Raises:
        SourceError: two files differ in their columns; both are named with the difference.
    """
    import pyarrow as pa

    first, schema = schemas[0]
    types = list(schema.types)
    for name, other in schemas[1:]:
        if set(other.names) != set(schema.names):
            odd = sorted(set(other.names) ^ set(schema.names))
            columns = ", ".join(map(repr, odd[:5]))
            raise SourceError(f"'{name}'", f"has other columns than '{first}' ({columns})", hint="collect them apart")
        types = [wider(kind, other.field(column).type) for column, kind in zip(schema.names, types, strict=True)]
    return pa.schema(list(zip(schema.names, types, strict=True)))


def as_text(schema: pa.Schema) -> pa.Schema:
    """The same schema with columns that have no value yet as text."""
    import pyarrow as pa

    return pa.schema([f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in schema])
