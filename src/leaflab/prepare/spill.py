"""Typed rows waiting on disk: uncompressed Arrow files, read back by memory map."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from leaflab.prepare.ahead import ahead
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spill", "floats", "texts_of"]


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
        self._words: dict[str, Any] = {}

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

    def keep(self, name: str, words: NDArray[np.uint64]) -> None:
        """Adds 64-bit words, one a row, to those of this name."""
        if name not in self._words:
            self._words[name] = self._open.enter_context(Path(self._path(name)).open("wb"))  # noqa: SIM115
        words.tofile(self._words[name])

    def kept(self, name: str) -> NDArray[np.uint64]:
        """All the words of a name, in memory; once the spill is closed."""
        return np.fromfile(self._path(name), dtype="uint64")

    def close(self) -> None:
        """No rows come any more."""
        self._open.close()

    def batches(self, names: Sequence[str] | None = None) -> Iterator[tuple[slice, pa.RecordBatch]]:
        """All rows, or some of their columns, and their places; read, not mapped: no page stays in memory."""
        start = 0
        with pa.OSFile(self._path("typed"), "rb") as source:
            reader = pa.ipc.open_file(source)
            if names is not None:
                places = [reader.schema.get_field_index(name) for name in names]
                reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=places))
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                yield slice(start, start + batch.num_rows), batch
                start += batch.num_rows

    def columns(self, names: list[str], kept: NDArray[np.bool_]) -> pa.Table:
        """Some columns of the kept rows, in memory."""
        batches = (batch.select(names).filter(pa.array(kept[here])) for here, batch in self.batches(names))
        return pa.Table.from_batches([_plain(batch) for batch in batches])

    def parts(
        self, parts: Sequence[str], names: Sequence[str], codes: NDArray[np.int8], ids: Callable[..., pa.Array[Any]]
    ) -> dict[str, pa.Table]:
        """The rows by part, with their ids first, as tables that stay on disk; they outlive this spill.

        Args:
            parts: their names, in the order of codes.
            names: the columns.
            codes: part of each row, shape (rows,); -1 for none.
            ids: gives the ids of a batch, from it and its place.
        """

        def divided(placed: tuple[slice, pa.RecordBatch]) -> list[pa.RecordBatch]:
            here, batch = placed
            columns = [ids(batch, here), *(batch.column(name) for name in names)]
            whole = pa.RecordBatch.from_arrays(columns, names=[ROW_ID, *names])
            return [_plain(whole.filter(pa.array(codes[here] == code))) for code in range(len(parts))]

        with ExitStack() as opened:
            writers: dict[str, Any] = {}
            for found in ahead(divided, self.batches()):
                for part, rows in zip(parts, found, strict=True):
                    if part not in writers:
                        writers[part] = self._started(part, rows.schema, opened)
                    writers[part].write_batch(rows)
        return {part: self._mapped(part) for part in parts}

    def _started(self, name: str, schema: pa.Schema, opened: ExitStack) -> Any:
        sink = opened.enter_context(pa.OSFile(self._path(name), "wb"))
        return opened.enter_context(pa.ipc.new_file(sink, schema))

    def _mapped(self, name: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(self._path(name))).read_all()

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name) / f"{name}.arrow")


def floats(array: pa.Array[Any]) -> NDArray[np.float64]:
    """A typed number column, missing as NaN, shape (rows,)."""
    if not pa.types.is_dictionary(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    values = np.append(array.dictionary.to_numpy(zero_copy_only=False), np.nan)
    return np.asarray(values[array.indices.fill_null(len(values) - 1).to_numpy()])


def texts_of(words: NDArray[np.uint64]) -> pa.Array[Any]:
    """64-bit numbers as the ids people see, without a Python string a row.

    >>> texts_of(np.array([255], dtype="uint64")).to_pylist()
    ['00000000000000ff']
    """
    letters = words.astype(">u8").tobytes().hex().encode()
    ends = np.arange(len(words) + 1, dtype="int32") * 16
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(ends), pa.py_buffer(letters))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without dictionaries."""
    arrays = [a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
