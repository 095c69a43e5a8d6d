"""The lake keeps versioned tables, and hands back exactly what was written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from leaflab.identity import Digester

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from leaflab.lake.growing import Growing

__all__ = ["Lake", "TableVersion"]


@dataclass(frozen=True)
class TableVersion:
    """One version of a lake table.

    Args:
        name: `raw/flights`, `dataset/flights/train`, `quarantine/flights`, `inference/flights`, …
        version: 0, 1, …
        rows: rows in this version.
        digest: content digest of the whole table at this version; "" where none was computed yet (`Lake.digest`).
        meta: what the writer recorded (source uri, dataset manifest, …), as plain values.
        written: seconds since the epoch.
        size: bytes on disk of this version's files.
        mode: "overwrite" or "append"; "" where another writer made it.
    """

    name: str
    version: int
    rows: int
    digest: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    written: float = 0.0
    size: int = 0
    mode: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Lake(ABC):
    """Contract: a version is whole or absent; `read(write(t)) == t` up to the lossless type mapping of the guide."""

    @abstractmethod
    def write(
        self,
        name: str,
        data: pa.Table | pa.RecordBatchReader,
        *,
        mode: Literal["overwrite", "append"] = "overwrite",
        digest: str | Growing = "",
        meta: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        new_columns: Literal["add", "refuse"] = "refuse",
    ) -> TableVersion:
        """Commits one new version; content that is the newest version's already makes none.

        Args:
            name: the table.
            data: the rows; a stream is drawn once and never held whole.
            mode: "append" keeps the rows that are there; a column that the new rows lack is null in them.
            digest: content digest of the version; "" to have it computed ("overwrite"), or left out ("append"), where
                a `Growing` has it computed too.
            meta: what to record with the version; a function is called once all rows are drawn.
            new_columns: what an append does with columns the table lacks; they are null in older rows.

        Raises:
            LakeError: the lake cannot be written, or a column's type or name cannot be kept without loss.
        """

    @abstractmethod
    def read(self, name: str, version: int | None = None, columns: list[str] | None = None) -> pa.Table:
        """The rows of one version; the newest by default.

        Raises:
            LakeError: no such table or version.
        """

    def stream(
        self, name: str, version: int | None = None, columns: list[str] | None = None, *, coded: bool = False
    ) -> pa.RecordBatchReader:
        """The rows of one version, batch by batch; `coded`: texts may come as dictionaries, which cost less to read."""
        return self.read(name, version, columns).to_reader()

    def digest(self, version: TableVersion) -> str:
        """The content digest of a version; where it was not computed yet, its rows are read for it."""
        if version.digest:
            return version.digest
        return self.digester(version).result().table

    def digester(self, version: TableVersion) -> Digester:
        """What has seen all rows of a version."""
        stream = self.stream(version.name, version.version)
        digester = Digester(stream.schema)
        for batch in stream:
            digester.update(batch)
        return digester

    @abstractmethod
    def versions(self, name: str) -> list[TableVersion]:
        """The versions of a table, oldest first; empty where the table does not exist."""

    @property
    def pinned(self) -> bool:
        """Whether raw tables are read as they were (`lake.version`, `lake.as_of`) and not collected anew."""
        return False

    def divided(self, columns: Sequence[str] | None) -> Lake:
        """This lake, dividing the raw tables it writes by columns; None leaves each as it is."""
        return self

    def current(self, name: str) -> TableVersion | None:
        """The version that `read` gives where none is named; None where the table does not exist.

        Raises:
            LakeError: the version that raw tables are pinned to does not exist.
        """
        return next(reversed(self.versions(name)), None)

    @abstractmethod
    def keep(self, file: Path, digest: str) -> None:
        """Keeps a file as `media/<digest>`; one that is there already is kept once.

        Raises:
            LakeError: the lake cannot be written.
        """

    @abstractmethod
    def tables(self) -> list[str]:
        """Names of all tables."""
