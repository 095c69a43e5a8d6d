"""Parquet files of a table that are not part of it until a commit names them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leaflab.identity import Digest, Digester

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.transaction import AddAction
    from pyarrow.fs import FileSystem

__all__ = ["Staged", "stage"]

_ROWS_A_FILE = 4_000_000
_ROWS_A_GROUP = 1 << 17


@dataclass
class Staged:
    """Files written beside a table's own, and what went into them."""

    files: FileSystem
    schema: pa.Schema
    actions: list[AddAction] = field(default_factory=list)
    digest: Digest = field(default_factory=lambda: Digest(""))
    rows: int = 0
    size: int = 0

    def drop(self) -> None:
        """Removes the files: they were not committed."""
        for action in self.actions:
            self.files.delete_file(action.path)
        self.actions.clear()


def stage(files: FileSystem, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Staged:
    """Writes batches to new files in row order; on any failure what was written is removed again.

    Names sort in the order of rows, within one call and between calls, so that a read gives rows back in the order
    they were written.
    """
    staged = Staged(files, schema)
    digester = Digester(schema)
    writer = _Writer(staged, schema)
    try:
        for batch in batches:
            digester.update(batch)
            writer.write(batch)
        writer.close(last=True)
    except BaseException:
        writer.abandon()
        staged.drop()
        raise
    staged.digest = digester.result()
    staged.rows = staged.digest.rows
    return staged


class _Writer:
    """One Parquet file after another."""

    def __init__(self, staged: Staged, schema: pa.Schema) -> None:
        self._staged, self._schema = staged, schema
        self._prefix = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        self._open: Any = None
        self._path, self._rows = "", 0

    def write(self, batch: pa.RecordBatch) -> None:
        if self._open is None:
            self._start()
        self._open.write_batch(batch, row_group_size=_ROWS_A_GROUP)
        self._rows += batch.num_rows
        if self._rows >= _ROWS_A_FILE:
            self.close()

    def _start(self) -> None:
        import pyarrow.parquet as pq

        self._path, self._rows = f"{self._prefix}-{len(self._staged.actions):05d}.parquet", 0
        self._open = pq.ParquetWriter(self._path, self._schema, filesystem=self._staged.files)

    def close(self, *, last: bool = False) -> None:
        """Ends the file at hand; a table without rows still has one, so that its schema can be read anywhere."""
        from deltalake.transaction import AddAction

        if self._open is None:
            if not last or self._staged.actions:
                return
            self._start()
        self._open.close()
        self._open = None
        size = self._staged.files.get_file_info(self._path).size
        stats = json.dumps({"numRecords": self._rows})
        self._staged.actions.append(AddAction(self._path, size, {}, time.time_ns() // 1_000_000, True, stats))
        self._staged.size += size

    def abandon(self) -> None:
        import contextlib

        if self._open is not None:
            with contextlib.suppress(Exception):
                self._open.close()
            with contextlib.suppress(Exception):
                self._staged.files.delete_file(self._path)
            self._open = None
