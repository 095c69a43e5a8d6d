"""Delimited text: clean blocks at full speed, damaged ones line by line."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from leaflab.errors import ConfigError, SourceError
from leaflab.source import sniff
from leaflab.source.blocks import Block, blocks
from leaflab.source.format import Findings, Format, Surprise, wider
from leaflab.source.numerals import codes
from leaflab.source.salvage import rows_of, salvaged

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.source.piece import Piece

__all__ = ["Delimited"]


@dataclass(frozen=True)
class _Layout:
    """How one file is written; `header` is its bytes of UTF-8, `skipped` the columns without name and value."""

    encoding: str
    delimiter: str
    header: int
    names: tuple[str, ...]
    unnamed: frozenset[str]
    skipped: frozenset[str] = frozenset()


class Delimited(Format):
    """CSV and its kin.

    The first row names the columns. A column without a name and without a value is left out, rows wholly blank are
    dropped and counted, an empty field is a missing value. Types are those of the values: integers, floats, booleans,
    times in ISO 8601, else text; a column with codes (`00501`, more digits than an integer holds) is text.

    Args:
        delimiter: one character (`\\t` is a tab); None finds it from the head of each file.
        encoding: a Python codec's name; None finds it too.
        names: the columns of files without a header row; None where the first row names them.

    Raises:
        ConfigError: a delimiter that is none, or names without any.
    """

    def __init__(
        self, delimiter: str | None = None, encoding: str | None = None, names: Sequence[str] | None = None
    ) -> None:
        delimiter = "\t" if delimiter == "\\t" else delimiter
        if delimiter and (len(delimiter.encode()) > 1 or delimiter in '"\r\n'):
            raise ConfigError("`source.delimiter`", "must be one plain character", got=delimiter)
        if names is not None and not names:
            raise ConfigError("`source.names`", "must name every column", hint="leave it out where the first row does")
        self._delimiter, self._encoding, self._names = delimiter, encoding, names
        self._layouts: dict[str, _Layout] = {}
        self._not_utf8: set[str] = set()

    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        import pyarrow as pa

        layout = self._look(piece)
        types: list[pa.DataType] = [pa.null()] * len(layout.names)
        rows = 0
        for block in self._blocks(piece, layout):
            table = self._table(block, layout, {}, piece, Findings())
            if table is not None:
                types = [wider(one, _plain(column)) for one, column in zip(types, table.columns, strict=True)]
                rows += table.num_rows
            if not whole and rows:
                break
        if not rows:
            raise SourceError(f"'{piece.name}'", "has a header but no row that fits it")
        blank = {n for n, t in zip(layout.names, types, strict=True) if n in layout.unnamed and pa.types.is_null(t)}
        self._layouts[piece.name] = replace(layout, skipped=frozenset(blank))
        return pa.schema([(n, t) for n, t in zip(layout.names, types, strict=True) if n not in blank])

    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        layout = self._layouts[piece.name]
        findings.dropped(len(layout.skipped), "column")
        types = {**dict.fromkeys(layout.skipped, pa.null()), **dict(zip(schema.names, schema.types, strict=True))}
        for block in self._blocks(piece, layout):
            table = self._table(block, layout, types, piece, findings)
            if table is not None:
                yield from _tidy(table.select(schema.names), findings).to_batches()

    def _look(self, piece: Piece) -> _Layout:
        head = piece.head()
        encoding = self._encoding or (sniff.FALLBACK if piece.name in self._not_utf8 else sniff.encoding_of(head))
        kind = sniff.format_of(head)
        if kind or (not encoding.startswith(("utf-16", "utf-32")) and sniff.is_binary(head)):
            raise SourceError(f"'{piece.name}'", f"is not delimited text but {kind or 'binary data'}")
        try:
            first = next(blocks(io.BytesIO(head), encoding), b"")
        except LookupError:
            raise SourceError("`source.encoding`", "names no known encoding", got=encoding) from None
        except UnicodeError as error:
            raise SourceError(f"'{piece.name}'", f"is not {encoding} text ({error})") from error
        if not first.strip():
            raise SourceError(f"'{piece.name}'", "is empty")
        tabs = piece.ending in ("tsv", "tab")
        text = first.decode("utf-8", errors="replace")
        said = sniff.said_delimiter(text)
        delimiter = self._delimiter or said or ("\t" if tabs else sniff.delimiter_of(text))
        if self._names is not None:
            return _Layout(encoding, delimiter, 0, tuple(self._names), frozenset())
        rows, header = rows_of(first, delimiter), 0
        for row in rows:
            header += len(row.data)
            if row.fields and any(field.strip("\0 \t") for field in row.fields) and not (said and row.line == 1):
                break
        names, unnamed = _names(row.fields or [], [r.fields for r in islice(rows, 200) if r.fields])
        return _Layout(encoding, delimiter, header, names, unnamed)

    def _blocks(self, piece: Piece, layout: _Layout) -> Iterator[Block]:
        """The file's blocks after its header."""
        header = layout.header
        with piece.open() as stream:
            for block in blocks(stream, layout.encoding):
                rest = block[header:]
                lines = block.count(b"\n", 0, header) if header else 0
                odd = rest.count(b'"') % 2 == 1 if header else block.odd
                header = max(0, header - len(block))
                if rest:
                    yield Block(rest, block.line + lines, odd)

    def _table(
        self, block: Block, layout: _Layout, types: Mapping[str, pa.DataType], piece: Piece, findings: Findings
    ) -> pa.Table | None:
        """The rows of a block; a damaged one is read line by line. None where no row is left."""
        import pyarrow as pa

        if not block.odd and self._is_text(block, piece):
            try:
                return _parsed(block, layout, types)
            except pa.ArrowInvalid as error:
                if "conversion error" in str(error):
                    raise Surprise(str(error)) from error
        good = salvaged(block, layout.delimiter, len(layout.names), piece.name, findings)
        try:
            return _parsed(good, layout, types) if good.strip() else None
        except pa.ArrowInvalid as error:
            raise Surprise(str(error)) from error

    def _is_text(self, block: Block, piece: Piece) -> bool:
        if block.count(0):
            return False
        if block.isascii():
            return True
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            known = self._encoding or piece.name in self._not_utf8 or sniff.has_valid_utf8(block)
            if not known:
                self._not_utf8.add(piece.name)
                raise Surprise("encoding") from None
            return False
        return True


def _parsed(data: bytes, layout: _Layout, types: Mapping[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    def table(kinds: Mapping[str, pa.DataType], only: Sequence[str] = ()) -> pa.Table:
        read = csv.ReadOptions(block_size=len(data) + 1, column_names=list(layout.names))
        parse = csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True)
        convert = csv.ConvertOptions(column_types=dict(kinds), include_columns=list(only))
        return csv.read_csv(cast(Any, pa.BufferReader(data)), read, parse, convert)

    found = table(types)
    text = codes(found, data, layout.delimiter, lambda names: table(dict.fromkeys(names, pa.string()), names))
    if text & set(types):
        raise Surprise(f"codes in {sorted(text)}")
    return table({**types, **dict.fromkeys(text, pa.string())}) if text else found


def _plain(column: Any) -> pa.DataType:
    """The type a column is kept as: dates are times, times of day are text, times finer than a microsecond too."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    if pa.types.is_timestamp(kind):
        target = pa.timestamp("us", kind.tz)
        try:
            column.cast(target)
        except pa.ArrowInvalid:
            return pa.string()
        return target
    return pa.string() if pa.types.is_time(kind) or pa.types.is_binary(kind) else kind


def _tidy(table: pa.Table, findings: Findings) -> pa.Table:
    """Empty texts become missing values, rows without any value go."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for at, field in enumerate(table.schema):
        column = table.column(at)
        if pa.types.is_string(field.type) and len(column) and pc.min(pc.binary_length(column)).as_py() == 0:
            filled = pc.if_else(pc.equal(column, pa.scalar("")), pa.scalar(None, pa.string()), column)
            table = table.set_column(at, field, filled)
    if any(column.null_count == 0 for column in table.columns):
        return table
    some: Any = table.column(0).is_valid()
    for column in table.columns[1:]:
        some = pc.or_(some, column.is_valid())
    kept = table.filter(some)
    findings.blank += table.num_rows - kept.num_rows
    return kept


def _names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Column names, each once, and which of them the file did not give.

    A header one short of its rows either has a delimiter at the end of each row or leaves the row numbers unnamed.
    """
    header = [name.replace("\0", "").strip() for name in header]
    widths = Counter(map(len, rows))
    if widths and widths.most_common(1)[0][0] == len(header) + 1:
        trailing = all(not row[-1].strip() for row in rows if len(row) == len(header) + 1)
        header = [*header, ""] if trailing else ["row", *header]
    names: list[str] = []
    for place, name in enumerate(header, 1):
        candidate = name or f"column_{place}"
        twins = [candidate, *(f"{candidate}_{n}" for n in range(2, len(header) + 2))]
        names.append(next(twin for twin in twins if twin not in names))
    return tuple(names), frozenset(name for name, given in zip(names, header, strict=True) if not given)
