"""Files that carry their own schema: Parquet and Arrow (Feather)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.source.format import Findings, Format

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from leaflab.source.piece import Piece

__all__ = ["Arrow", "Parquet"]

_ROWS = 1 << 16


class _Columnar(Format):
    """A file whose schema needs no guess."""

    label = ""

    @abstractmethod
    def open(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and the rows of an open file."""

    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        import pyarrow as pa

        with piece.seekable() as stream:
            try:
                schema, _ = self.open(stream)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"'{piece.name}'", f"is not a {self.label} file ({_first(error)})") from error
        return schema.remove_metadata()

    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        with piece.seekable() as stream:
            try:
                for batch in self.open(stream)[1]:
                    yield batch.select(schema.names).cast(schema)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(f"'{piece.name}'", f"is a damaged {self.label} file ({_first(error)})") from error


class Parquet(_Columnar):
    """Parquet."""

    label = "Parquet"

    def open(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(stream)
        return file.schema_arrow, (b for some in _together(file) for b in file.iter_batches(_ROWS, row_groups=some))


def _together(file: pq.ParquetFile) -> Iterator[list[int]]:
    """Row groups to be asked for together: asked for all at once, Arrow would hold the whole file before long."""
    some, rows = [], 0
    for group in range(file.num_row_groups):
        some.append(group)
        rows += file.metadata.row_group(group).num_rows
        if rows >= _ROWS:
            yield some
            some, rows = [], 0
    if some:
        yield some


class Arrow(_Columnar):
    """Arrow's file format (Feather) or its stream."""

    label = "Arrow"

    def open(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        try:
            file = pa.ipc.open_file(stream)
        except pa.ArrowInvalid:
            stream.seek(0)
            reader = pa.ipc.open_stream(stream)
            return reader.schema, iter(reader)
        return file.schema, (file.get_batch(i) for i in range(file.num_record_batches))


def _first(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
