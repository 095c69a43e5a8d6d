"""Parquet files of a table that are not part of it until a commit names them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leaflab.identity import Digester
from leaflab.lake import division
from leaflab.lake.store import actions

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.fs import FileSystem

__all__ = ["Staged", "stage"]

_ROWS_A_FILE = 4_000_000
_ROWS_A_GROUP = 1 << 17
_LOOKED_AT, _MOSTLY = 8192, 0.5
_BUFFER = 256 << 20  # bytes of a divided table that wait until each part's rows are worth a file


@dataclass
class Staged:
    """Files written beside a table's own, and what went into them.

    Args:
        files: the table's folder.
        schema: of the rows.
        columns: what they are divided by.
        digester: what has seen the rows, and perhaps those that were there before.
        actions: the files.
        rows: in the files.
        size: of the files, in bytes.
        onto: the version whose rows the digester has seen before; -1 for none yet, None where that does not matter.
    """

    files: FileSystem
    schema: pa.Schema
    columns: tuple[str, ...]
    digester: Digester
    actions: list[AddAction] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    onto: int | None = None

    @property
    def digest(self) -> str:
        """Of all rows that the digester has seen."""
        return self.digester.result().table

    def follows(self, table: DeltaTable | None) -> bool:
        """Whether its rows are read after those of a table: files are named by the clock, which may step back."""
        there = actions(table).column("path").to_pylist() if table else ()
        return max(there, default="") < min(action.path for action in self.actions)

    def drop(self) -> None:
        """Removes the files: they were not committed."""
        for action in self.actions:
            self.files.delete_file(action.path)
        self.actions.clear()


def stage(
    files: FileSystem,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str] = (),
    so_far: Digester | None = None,
) -> Staged:
    """Writes batches to new files in row order; on any failure what was written is removed again.

    Names sort in the order of rows, within one call and between calls, so that a read gives rows back in the order
    they were written; with `columns` to divide by, part by part. The digest goes on from `so_far`.

    Raises:
        LakeError: the table cannot be divided by these columns.
    """
    digester = so_far or Digester(schema)
    staged = Staged(files, schema, tuple(columns), digester)
    writer = _Divider(staged, schema, columns) if columns else _Writer(staged, schema)
    try:
        with ThreadPoolExecutor(1) as beside:
            for batch in batches:
                digested = beside.submit(digester.update, batch) if not columns else None
                writer.write(batch)
                staged.rows += batch.num_rows
                if digested is not None:
                    digested.result()
        writer.close()
        for batch in writer.again():
            digester.update(batch)
    except BaseException:
        writer.abandon()
        staged.drop()
        raise
    return staged


class _Writer:
    """One Parquet file after another."""

    def __init__(self, staged: Staged, schema: pa.Schema) -> None:
        self._staged, self._schema = staged, schema
        self._prefix = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        self._open: Any = None
        self._path, self._rows = "", 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._add(batch)
        if self._rows >= _ROWS_A_FILE:
            self._end({})

    def close(self) -> None:
        """Ends the file at hand; a table without rows still has one, so that its schema can be read anywhere."""
        if self._open is None and not self._staged.actions:
            self._add(self._schema.empty_table())
        if self._open is not None:
            self._end({})

    def again(self) -> Iterable[pa.RecordBatch]:
        """All rows once more, where they lie in another order than they came in."""
        return ()

    def _add(self, rows: Any, folder: str = "") -> None:
        import pyarrow.parquet as pq

        if self._open is None:
            name = f"{self._prefix}-{len(self._staged.actions):05d}.parquet"
            self._path, self._rows = f"{folder}/{name}" if folder else name, 0
            if folder:
                self._staged.files.create_dir(folder, recursive=True)
            options = {"filesystem": self._staged.files, "use_dictionary": _repeating(rows)}
            self._open = pq.ParquetWriter(self._path, rows.schema, **options)
        self._open.write(rows, row_group_size=_ROWS_A_GROUP)
        self._rows += rows.num_rows

    def _end(self, values: Mapping[str, Any]) -> None:
        from deltalake.transaction import AddAction

        self._open.close()
        self._open = None
        size, stats = self._staged.files.get_file_info(self._path).size, json.dumps({"numRecords": self._rows})
        when, texts = time.time_ns() // 1_000_000, division.as_texts(values)
        self._staged.actions.append(AddAction(self._path, size, texts, when, True, stats))
        self._staged.size += size
        self._path = ""

    def abandon(self) -> None:
        import contextlib

        if self._open is not None:
            with contextlib.suppress(Exception):
                self._open.close()
            self._open = None
        if self._path:  # a disk may be full before the first byte
            with contextlib.suppress(Exception):
                self._staged.files.delete_file(self._path)


def _repeating(rows: Any) -> list[str] | bool:
    """The columns worth a dictionary, by their first rows: where most values differ, building one is lost work."""
    import pyarrow.compute as pc

    head, most = rows.slice(0, _LOOKED_AT), _MOSTLY * _LOOKED_AT
    if head.num_rows <= most:
        return True
    flat = [f.name for f in head.schema if not f.type.num_fields]
    differ = {n for n in flat if pc.count_distinct(head.column(n)).as_py() > most}
    return [n for n in head.schema.names if n not in differ] if differ else True


class _Divider(_Writer):
    """Files of the parts of a divided table: rows wait until there are many, then each part that has some gets one."""

    def __init__(self, staged: Staged, schema: pa.Schema, columns: Sequence[str]) -> None:
        super().__init__(staged, schema)
        self._columns = list(columns)
        self._waiting: list[pa.RecordBatch] = []
        self._values: list[Mapping[str, Any]] = []
        self._size = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._size += batch.nbytes
        if self._size >= _BUFFER:
            self.close()

    def close(self) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._size = [], 0
        for values, rows in division.parts(table, self._columns):
            self._add(rows, division.folder(values))
            self._end(values)
            self._values.append(values)

    def again(self) -> Iterable[pa.RecordBatch]:
        import pyarrow as pa

        found = {"path": pa.array([action.path for action in self._staged.actions], pa.string())}
        for column in self._columns:
            kind = self._schema.field(column).type
            found[f"partition.{column}"] = pa.array([values[column] for values in self._values], kind)
        return division.dataset(self._staged.files, self._schema, pa.table(found), self._columns).to_batches()
