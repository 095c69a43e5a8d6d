"""The lake keeps versioned tables, and hands back exactly what was written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Lake", "TableVersion"]


@dataclass(frozen=True)
class TableVersion:
    """One version of a lake table.

    Args:
        name: `raw/flights`, `dataset/flights/train`, `quarantine/flights`, `inference/flights`, …
        version: 0, 1, …
        rows: rows in this version.
        digest: content digest of the whole table at this version, or "" where none was computed (appends).
        meta: what the writer recorded (source uri, dataset manifest, …), as plain values.
        written: seconds since the epoch.
        size: bytes on disk of this version's files.
    """

    name: str
    version: int
    rows: int
    digest: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    written: float = 0.0
    size: int = 0

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
        digest: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> TableVersion:
        """Commits one new version.

        Raises:
            LakeError: the lake cannot be written, or a column's type or name cannot be kept without loss.
        """

    @abstractmethod
    def read(self, name: str, version: int | None = None, columns: list[str] | None = None) -> pa.Table:
        """The rows of one version; the newest by default.

        Raises:
            LakeError: no such table or version.
        """

    @abstractmethod
    def versions(self, name: str) -> list[TableVersion]:
        """The versions of a table, oldest first; empty where the table does not exist."""

    @abstractmethod
    def tables(self) -> list[str]:
        """Names of all tables."""
