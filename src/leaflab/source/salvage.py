"""Damaged text, line by line: which rows can be kept, and why the others cannot."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.source.base import BadLine

if TYPE_CHECKING:
    from leaflab.source.blocks import Block
    from leaflab.source.format import Findings

__all__ = ["Row", "rows_of", "salvaged"]

_LONGEST_FIELD = 200  # lines that one quoted field may span before its quote counts as never closed
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class Row:
    """One row: its fields (None where it has none), its bytes, its place among the lines, and what is wrong with it."""

    fields: list[str] | None
    data: bytes
    line: int
    reason: str = ""


def rows_of(data: bytes, delimiter: str, line: int = 1) -> Iterator[Row]:
    """The rows of text whose quotes may be broken; every byte belongs to one row."""
    lines = data.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        row, used = _row(lines, at, delimiter, line + at)
        yield row
        at += used


def _row(lines: list[bytes], at: int, delimiter: str, line: int) -> tuple[Row, int]:
    text = ""
    for used in range(1, min(_LONGEST_FIELD, len(lines) - at) + 1):
        try:
            text += lines[at + used - 1].decode("utf-8")
        except UnicodeDecodeError:
            if used == 1:
                return Row(None, lines[at], line, "not valid UTF-8"), 1
            break
        fields = _fields(text, delimiter)
        if fields is not None:
            return Row(fields, b"".join(lines[at : at + used]), line), used
    return Row(None, lines[at], line, "a quote that is never closed"), 1


def _fields(text: str, delimiter: str) -> list[str] | None:
    """The fields of one row; None where a quote is still open at its end."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
    return next(csv.reader([text], delimiter=delimiter), [])


def salvaged(block: Block, delimiter: str, width: int, name: str, findings: Findings) -> bytes:
    """The rows of a damaged block that have the right width; the others are set aside."""
    good: list[bytes] = []
    for row in rows_of(block, delimiter, block.line):
        reason = row.reason
        if row.fields is not None and row.fields and len(row.fields) != width:
            reason = f"{len(row.fields)} fields where the header has {width}"
        if b"\x00" in row.data:
            reason = "holds a zero byte"
        if reason:
            raw = row.data.decode("utf-8", errors="backslashreplace").rstrip("\r\n")
            findings.bad.append(BadLine(row.line, reason, raw, name))
        else:
            good.append(row.data if row.data.endswith(b"\n") else row.data + b"\n")
    return b"".join(good)
