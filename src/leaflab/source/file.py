"""Tables in files: CSV, Parquet, Arrow, JSON, Excel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from leaflab.errors import ConfigError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Source
from leaflab.source.format import Findings, Format, Surprise, as_text, merged
from leaflab.source.piece import Piece, pieces_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["File"]

Kind = Literal["auto", "csv", "json", "parquet", "arrow", "excel"]

_ENDINGS: dict[str, Kind] = {
    "csv": "csv", "tsv": "csv", "tab": "csv", "txt": "csv", "dat": "csv", "data": "csv",
    "json": "json", "jsonl": "json", "ndjson": "json",
    "parquet": "parquet", "pq": "parquet",
    "arrow": "arrow", "feather": "arrow", "ipc": "arrow",
    "xlsx": "excel", "xlsm": "excel",
}  # fmt: skip


@option
class File(Source):
    """A table in a file, read as a stream.

    Args:
        path: the file.
        kind: its format; "auto" goes by its ending.
        delimiter: of delimited text; null finds it.
        encoding: of delimited text; null finds it.
        names: column names of delimited text without a header row.
        sheet: of a workbook; null takes the first.
    """

    path: str | None = None
    kind: Kind = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    names: list[str] | None = None
    sheet: str | None = None

    @property
    def default_name(self) -> str | None:
        return Piece.stem_of(self.path) if self.path else None

    def read(self) -> Reading:
        if not self.path:
            raise ConfigError("`source.path`", "is not set", hint="name a table, as in source.path=prices.csv")
        pieces = pieces_of(self.path)
        return self._reading(pieces, self._format(pieces), whole=False)

    def _format(self, pieces: list[Piece]) -> Format:
        from leaflab.source.columnar import Arrow, Parquet
        from leaflab.source.delimited import Delimited
        from leaflab.source.jsons import Json
        from leaflab.source.sheet import Sheet

        made: dict[str, Callable[[], Format]] = {
            "csv": partial(Delimited, self.delimiter, self.encoding, self.names),
            "json": Json,
            "parquet": Parquet,
            "arrow": Arrow,
            "excel": partial(Sheet, self.sheet),
        }
        return made[self.kind if self.kind != "auto" else _kind(pieces[0])]()

    def _reading(self, pieces: list[Piece], how: Format, *, whole: bool) -> Reading:
        """A reading whose schema is drawn from heads; one from whole files replaces it when that proves too narrow."""
        try:
            schema = as_text(merged([(piece.name, how.schema(piece, whole=whole)) for piece in pieces]))
        except Surprise:  # the head is not in the encoding it seemed to be in; the format remembers
            return self._reading(pieces, how, whole=whole)
        findings = Findings()
        reading = Reading(schema, iter(()), self.path or "", findings.bad, findings.notes)
        reading.batches = self._batches(pieces, how, schema, findings, whole=whole)
        return reading

    def _batches(
        self, pieces: list[Piece], how: Format, schema: pa.Schema, findings: Findings, *, whole: bool
    ) -> Iterator[pa.RecordBatch]:
        from leaflab.source.base import Reread

        rows = 0
        for piece in pieces:
            try:
                for batch in how.batches(piece, schema, findings):
                    rows += batch.num_rows
                    yield batch
            except Surprise as surprise:
                if whole:
                    raise SourceError(f"'{piece.name}'", f"changed while it was read ({surprise})") from surprise
                raise Reread(self._reading(pieces, how, whole=True)) from surprise
        if not rows:
            raise SourceError(f"'{self.path}'", "has no rows")
        findings.dropped(findings.blank, "row")


def _kind(piece: Piece) -> Kind:
    if piece.ending not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise SourceError(
            f"'{piece.name}'", "has an ending that names no format", hint=f"set source.kind; known are {known}"
        )
    return _ENDINGS[piece.ending]
