"""Answers of a long scoring, kept in parts, so that one that was interrupted goes on where it stood."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Parts"]


class Parts:
    """A folder of answers, in input order; a part is whole or absent.

    Args:
        folder: of this scoring alone: the same model, input and output.
        schema: of the answers.
        rows: rows of a part; fewer are never written, and scored anew.
    """

    def __init__(self, folder: Path, schema: pa.Schema, rows: int) -> None:
        self._folder, self._schema, self._rows = folder, schema, rows
        self._found = sorted(folder.glob("*.arrow")) if folder.is_dir() else []

    @property
    def key(self) -> str:
        """One word for this scoring, the same until it is done."""
        file = self._folder / "key"
        if not file.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            file.write_text(secrets.token_hex(8), encoding="ascii")
        return file.read_text(encoding="ascii")

    @property
    def rows(self) -> int:
        """Rows that need not be scored again."""
        return sum(int(path.stem.split("-")[1]) for path in self._found)

    def kept(self, answers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """All answers: those found, then the new ones, which are kept on the way.

        Args:
            answers: those that follow the rows found.
        """
        found = [self._read(path) for path in self._found]
        return chain(chain.from_iterable(found), self._keeping(answers))

    def _keeping(self, answers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pending: list[pa.RecordBatch] = []
        waiting = 0
        for batch in answers:
            pending.append(batch)
            waiting += batch.num_rows
            if waiting >= self._rows:
                self._write(pending, waiting)
                pending, waiting = [], 0
            yield batch

    def _write(self, batches: list[pa.RecordBatch], rows: int) -> None:
        import pyarrow as pa

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{len(self._found):06d}-{rows}.arrow"
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with pa.ipc.new_file(partial, self._schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        partial.replace(path)
        self._found.append(path)

    def _read(self, path: Path) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            for place in range(file.num_record_batches):
                yield file.get_batch(place)

    def drop(self) -> None:
        """Forgets all parts."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._found = []
