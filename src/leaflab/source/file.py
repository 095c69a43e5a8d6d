"""Tables in files: CSV, Parquet, Arrow, JSON, Excel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from leaflab.errors import ConfigError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Source
from leaflab.source.download import without_secrets
from leaflab.source.finding import find, opened, stem_of
from leaflab.source.format import Findings, Format, Surprise, as_text, merged
from leaflab.source.piece import Piece, readable

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
    """Tables in files, read as a stream: one file, all of a folder, those a pattern matches, or those of an archive.

    Several files are read in the order of their names and must have the same columns.

    Args:
        path: a file, folder, pattern (`data/*.csv`) or URL (http, https, s3 and what else fsspec knows); gz, zst, bz2
            and xz are unpacked on the way, zip archives opened.
        kind: its format; "auto" goes by its ending.
        delimiter: of delimited text; null finds it.
        encoding: of delimited text; null finds it.
        names: column names of delimited text without a header row.
        sheet: of a workbook; null takes the first.
        storage: options of an object store, as fsspec takes them.
    """

    path: str | None = None
    kind: Kind = "auto"
    delimiter: str | None = None
    encoding: str | None = None
    names: list[str] | None = None
    sheet: str | None = None
    storage: dict[str, Any] = field(default_factory=dict)

    @property
    def default_name(self) -> str | None:
        return stem_of(self.path) if self.path else None

    def read(self) -> Reading:
        if not self.path:
            raise ConfigError("`source.path`", "is not set", hint="name a table, as in source.path=prices.csv")
        return self.of(find(self.path, set(_ENDINGS), self.storage))

    def of(self, pieces: list[Piece]) -> Reading:
        """The reading of files that were found already; archives among them are opened."""
        pieces = [inner for piece in pieces for inner in opened(piece, set(_ENDINGS))]
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
        kinds = {self.kind} if self.kind != "auto" else {_kind(piece) for piece in pieces}
        if len(kinds) > 1:
            raise SourceError(f"'{self.path}'", f"holds files of several formats ({', '.join(sorted(kinds))})")
        return made[kinds.pop()]()

    def _reading(self, pieces: list[Piece], how: Format, *, whole: bool) -> Reading:
        """A reading whose schema is drawn from heads; one from whole files replaces it when that proves too narrow."""
        try:
            schema = as_text(merged([(piece.name, _schema(how, piece, whole=whole)) for piece in pieces]))
        except Surprise:  # the head is not in the encoding it seemed to be in; the format remembers
            return self._reading(pieces, how, whole=whole)
        findings = Findings()
        reading = Reading(schema, iter(()), without_secrets(self.path or ""), findings.bad, findings.notes)
        reading.batches = self._batches(pieces, how, schema, findings, whole=whole)
        return reading

    def _batches(
        self, pieces: list[Piece], how: Format, schema: pa.Schema, findings: Findings, *, whole: bool
    ) -> Iterator[pa.RecordBatch]:
        from leaflab.source.base import Reread

        rows = 0
        for piece in pieces:
            try:
                with readable(piece.name):
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


def _schema(how: Format, piece: Piece, *, whole: bool) -> pa.Schema:
    with readable(piece.name):
        return how.schema(piece, whole=whole)


def _kind(piece: Piece) -> Kind:
    if piece.ending not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise SourceError(
            f"'{piece.name}'", "has an ending that names no format", hint=f"set source.kind; known are {known}"
        )
    return _ENDINGS[piece.ending]
