"""Excel workbooks: the first sheet, or the one named."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.source.base import BadLine
from leaflab.source.folding import batch_of, type_of
from leaflab.source.format import Findings, Format

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.source.piece import Piece

__all__ = ["Sheet"]

_ROWS = 1 << 14
_CODE = re.compile(r'(?:\[\$-\w+\])?((?:0|[-/() ]|\\[^A-Za-z]|"[^"A-Za-z]*")+)(?:;.*)?')
_PLACES = re.compile(r'0|[-/() ]|\\.|"[^"]*"')


@dataclass(frozen=True)
class _Cells:
    """The table in a sheet, how much blank there was, and the titles above it with their lines."""

    names: list[str]
    rows: list[list[Any]]
    blank_rows: int
    blank_columns: int
    titles: list[tuple[int, str]]


class Sheet(Format):
    """One sheet; its first row that is not blank names the columns, titles above it are set aside.

    Wholly blank rows and columns are dropped and counted. A formula counts as the value last computed, digits whose
    format shows zeros in front count as the text that is shown.

    Args:
        sheet: name of the sheet; None takes the first.
    """

    def __init__(self, sheet: str | None = None) -> None:
        self._sheet = sheet
        self._cells: dict[str, _Cells] = {}

    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        import pyarrow as pa

        cells = self._read(piece)
        return pa.schema([(name, type_of(row[at] for row in cells.rows)) for at, name in enumerate(cells.names)])

    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        cells = self._read(piece)
        findings.blank += cells.blank_rows
        findings.dropped(cells.blank_columns, "column")
        findings.bad += [BadLine(line, "a title above the header", text, piece.name) for line, text in cells.titles]
        for start in range(0, len(cells.rows), _ROWS):
            rows = cells.rows[start : start + _ROWS]
            yield batch_of([dict(zip(cells.names, row, strict=True)) for row in rows], schema)

    def _read(self, piece: Piece) -> _Cells:
        if piece.name not in self._cells:
            grid, others = self._grid(piece)
            try:
                self._cells[piece.name] = _trimmed(grid)
            except ValueError as error:
                hint = f"name another sheet with source.sheet: {others}" if others else ""
                raise SourceError(f"'{piece.name}'", str(error), hint=hint) from error
        return self._cells[piece.name]

    def _grid(self, piece: Piece) -> tuple[list[list[Any]], str]:
        """The cells of the sheet, and the names of the other sheets."""
        import warnings
        from zipfile import BadZipFile

        import openpyxl

        with piece.seekable() as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
                names = [sheet.title for sheet in book.worksheets]
                wanted = self._sheet or next(iter(names), "")
                if wanted not in names:
                    hint = f"the workbook has {', '.join(names)}"
                    raise SourceError("`source.sheet`", "names no sheet", got=wanted, hint=hint)
                sheet = book[wanted]
                sheet.reset_dimensions()
                grid = [[_plain(cell) for cell in row] for row in sheet.iter_rows()]
            except (BadZipFile, KeyError, OSError, ValueError, SyntaxError) as error:  # broken XML is a SyntaxError
                raise SourceError(f"'{piece.name}'", f"is not an Excel workbook ({error})") from error
        return grid, ", ".join(name for name in names if name != wanted)


def _plain(cell: Any) -> Any:
    """A cell's value; codes of digits and times of day are text, blank texts are missing."""
    value = cell.value
    if type(value) is int and value >= 0 and cell.number_format != "General":
        return _as_shown(value, cell.number_format)
    if isinstance(value, str):
        return value if value.strip() else None
    return value.isoformat() if isinstance(value, dt.time | dt.timedelta) and hasattr(value, "isoformat") else value


def _as_shown(value: int, form: str) -> int | str:
    """A whole number as a sheet shows it, where its format makes it a code: zeros in front, or digits in groups.

    >>> _as_shown(501, "00000"), _as_shown(10115, "00000"), _as_shown(5010042, r"00000\\-0000"), _as_shown(501, "#,##0")
    ('00501', 10115, '00501-0042', 501)
    """
    mask = _CODE.fullmatch(form)
    places = _PLACES.findall(mask[1]) if mask else []
    zeros = places.count("0")
    digits = str(value).zfill(zeros)
    if zeros < 2 or (zeros == len(places) and digits == str(value)):
        return value
    due = iter([digits[: len(digits) - zeros + 1], *digits[len(digits) - zeros + 1 :]])
    return "".join(next(due) if place == "0" else place.strip('\\"') for place in places)


def _trimmed(grid: list[list[Any]]) -> _Cells:
    """The table in a grid.

    Raises:
        ValueError: there is none.
    """
    width = max((len(row) for row in grid), default=0)
    padded = [row + [None] * (width - len(row)) for row in grid]
    lines = [(line, row) for line, row in enumerate(padded, 1) if _filled(row)]
    first = _first(lines)
    titles = [(line, " ".join(str(value) for value in row if value is not None)) for line, row in lines[:first]]
    rows = [row for _, row in lines[first:]]
    if len(rows) < 2:
        raise ValueError("is empty" if not rows else "has a header but no rows")
    used = [at for at in range(width) if any(row[at] is not None for row in rows)]
    names: list[str] = []
    for place, at in enumerate(used, 1):
        given = str(rows[0][at]).strip() if rows[0][at] is not None else f"column_{place}"
        twins = [given, *(f"{given}_{n}" for n in range(2, len(used) + 2))]
        names.append(next(twin for twin in twins if twin not in names))
    table = [[row[at] for at in used] for row in rows[1:]]
    return _Cells(names, table, len(grid) - len(lines), width - len(used), titles)


def _first(lines: list[tuple[int, list[Any]]]) -> int:
    """Which row is the header: titles above it are texts alone in their rows, and most rows below it are no such."""
    at = next((at for at, (_, row) in enumerate(lines) if _filled(row) > 1), 0)
    below = [_filled(row) > 1 for _, row in lines[at + 1 :]]
    texts = all(value is None or isinstance(value, str) for _, row in lines[: at + 1] for value in row)
    return at if texts and sum(below) * 2 > len(below) else 0


def _filled(row: list[Any]) -> int:
    return sum(value is not None for value in row)
