"""Typed rows waiting on disk: uncompressed Arrow files, read back by memory map."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from leaflab.identity import hex_ids
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spill"]


class Spill:
    """Record batches of one schema, on disk until the end of the `with` block.

    Args:
        folder: where the files lie meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=folder, prefix="prepare-")
        self._open = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._folder.cleanup()

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows at the end."""
        if self._writer is None:
            self._writer = self._started("typed", batch.schema, self._open)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """No rows come any more."""
        self._open.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, as they were written; read, not mapped, so that no page stays in memory."""
        with pa.OSFile(self._path("typed"), "rb") as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def columns(self, names: list[str], kept: NDArray[np.bool_]) -> pa.Table:
        """Some columns of the kept rows, in memory."""
        start, found = 0, []
        for batch in self.batches():
            found.append(batch.select(names).filter(pa.array(kept[start : start + batch.num_rows])))
            start += batch.num_rows
        return pa.Table.from_batches(found)

    def parts(
        self, names: Sequence[str], codes: NDArray[np.int8], keys: NDArray[np.uint64], id_column: str | None
    ) -> dict[str, pa.Table]:
        """The rows by part, with their ids first, as tables that stay on disk; they outlive this spill.

        Args:
            names: one a part, in the order of codes.
            codes: part of each row, shape (rows,); -1 for none.
            keys: 64-bit ids, shape (rows,).
            id_column: the column that holds the ids instead.
        """
        start = 0
        with ExitStack() as opened:
            writers: dict[str, Any] = {}
            for batch in self.batches():
                here = slice(start, start + batch.num_rows)
                start += batch.num_rows
                whole = _named(batch, keys[here], id_column)
                for code, name in enumerate(names):
                    if name not in writers:
                        writers[name] = self._started(name, whole.schema, opened)
                    writers[name].write_batch(whole.filter(pa.array(codes[here] == code)))
        return {name: self._mapped(name) for name in names}

    def _started(self, name: str, schema: pa.Schema, opened: ExitStack) -> Any:
        sink = opened.enter_context(pa.OSFile(self._path(name), "wb"))
        return opened.enter_context(pa.ipc.new_file(sink, schema))

    def _mapped(self, name: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(self._path(name))).read_all()

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name) / f"{name}.arrow")


def _named(batch: pa.RecordBatch, keys: NDArray[np.uint64], id_column: str | None) -> pa.RecordBatch:
    """The batch with `row_id` first."""
    if id_column is None:
        ids: Any = pa.array(hex_ids(keys), type=pa.string())
    else:
        ids = batch.column(id_column).cast(pa.string())
    rest = [name for name in batch.schema.names if name != id_column]
    return pa.RecordBatch.from_arrays([ids, *(batch.column(n) for n in rest)], names=[ROW_ID, *rest])
