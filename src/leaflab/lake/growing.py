"""The digest of a table that grows by appends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.identity import Digester

if TYPE_CHECKING:
    from leaflab.lake.base import Lake, TableVersion

__all__ = ["Growing"]


class Growing:
    """The digest of one table, carried on from append to append: made anew, it would read every row each time."""

    def __init__(self) -> None:
        self._version = -1
        self._digester: Digester | None = None

    def upto(self, lake: Lake, newest: TableVersion) -> Digester:
        """What has seen all rows of the newest version; those that came by another way are read for it once."""
        if self._digester is None or self._version != newest.version:
            self.stands(newest.version, lake.digester(newest))
        assert self._digester is not None
        return self._digester

    def stands(self, version: int, digester: Digester) -> None:
        """Takes what has seen all rows of a version that was written."""
        self._version, self._digester = version, digester
