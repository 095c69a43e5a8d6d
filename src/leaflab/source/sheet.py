"""Excel workbooks: the first sheet, or the one named."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.source.folding import batch_of, type_of
from leaflab.source.format import Findings, Format

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.source.piece import Piece

__all__ = ["Sheet"]

_ROWS = 1 << 14
_CODE = re.compile(r'(?:\[\$-\w+\])?((?:0|[-/() ]|\\[^A-Za-z]|"[^"A-Za-z]*")+)(?:;.*)?')
_PLACES = re.compile(r'0|[-/() ]|\\.|"[^"]*"')


class Sheet(Format):
    """One sheet; its first row that is not blank names the columns.

    Wholly blank rows and columns are dropped and counted. A formula counts as the value last computed, digits whose
    format shows zeros in front count as the text that is shown.

    Args:
        sheet: name of the sheet; None takes the first.
    """

    def __init__(self, sheet: str | None = None) -> None:
        self._sheet = sheet
        self._cells: dict[str, tuple[list[str], list[list[Any]], int, int]] = {}

    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        import pyarrow as pa

        names, rows, _, _ = self._read(piece)
        return pa.schema([(name, type_of(row[at] for row in rows)) for at, name in enumerate(names)])

    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        names, rows, blank_rows, blank_columns = self._read(piece)
        findings.blank += blank_rows
        findings.dropped(blank_columns, "column")
        for start in range(0, len(rows), _ROWS):
            yield batch_of([dict(zip(names, row, strict=True)) for row in rows[start : start + _ROWS]], schema)

    def _read(self, piece: Piece) -> tuple[list[str], list[list[Any]], int, int]:
        if piece.name not in self._cells:
            self._cells[piece.name] = _trimmed(self._grid(piece), piece.name)
        return self._cells[piece.name]

    def _grid(self, piece: Piece) -> list[list[Any]]:
        import warnings
        from zipfile import BadZipFile

        import openpyxl

        with piece.seekable() as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            except (BadZipFile, KeyError, OSError, ValueError) as error:
                raise SourceError(f"'{piece.name}'", f"is not an Excel workbook ({error})") from error
            if self._sheet is not None and self._sheet not in book.sheetnames:
                has = ", ".join(book.sheetnames)
                raise SourceError("`source.sheet`", "names no sheet", got=self._sheet, hint=f"the workbook has {has}")
            sheet = book[self._sheet] if self._sheet else book.worksheets[0]
            sheet.reset_dimensions()
            return [[_plain(cell) for cell in row] for row in sheet.iter_rows()]


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


def _trimmed(grid: list[list[Any]], name: str) -> tuple[list[str], list[list[Any]], int, int]:
    """Names and rows without the blank ones, and how many rows and columns went."""
    width = max((len(row) for row in grid), default=0)
    padded = [row + [None] * (width - len(row)) for row in grid]
    rows = [row for row in padded if any(value is not None for value in row)]
    if len(rows) < 2:
        raise SourceError(f"'{name}'", "is empty" if not rows else "has a header but no rows")
    used = [at for at in range(width) if any(row[at] is not None for row in rows)]
    names: list[str] = []
    for place, at in enumerate(used, 1):
        given = str(rows[0][at]).strip() if rows[0][at] is not None else f"column_{place}"
        twins = [given, *(f"{given}_{n}" for n in range(2, len(used) + 2))]
        names.append(next(twin for twin in twins if twin not in names))
    return names, [[row[at] for at in used] for row in rows[1:]], len(grid) - len(rows), width - len(used)
