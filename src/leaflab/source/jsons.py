"""JSON: one object a line, or an array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.source import sniff
from leaflab.source.base import BadLine
from leaflab.source.blocks import blocks
from leaflab.source.folding import batch_of, flat, type_of
from leaflab.source.format import Findings, Format, Surprise, wider

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.source.piece import Piece

__all__ = ["Json"]

_Rows = list[dict[str, Any]]


class Json(Format):
    """JSON lines, or one array of objects, or one object that holds such an array.

    Keys become columns, nested objects columns `outer.inner`, lists JSON text. A line that is no object is set aside.
    """

    def schema(self, piece: Piece, *, whole: bool) -> pa.Schema:
        import pyarrow as pa

        types: dict[str, pa.DataType] = {}
        for rows in self._rows(piece, Findings()):
            keys = dict.fromkeys(key for row in rows for key in row)
            for key in keys:
                types[key] = wider(types.get(key, pa.null()), type_of(row.get(key) for row in rows))
            if not whole and types:
                break
        if not types:
            raise SourceError(f"'{piece.name}'", "holds no JSON object", hint="write one a line, or an array")
        return pa.schema(list(types.items()))

    def batches(self, piece: Piece, schema: pa.Schema, findings: Findings) -> Iterator[pa.RecordBatch]:
        known = set(schema.names)
        for rows in self._rows(piece, findings):
            new = {key for row in rows for key in row} - known
            if new:
                raise Surprise(f"new columns {sorted(new)}")
            try:
                yield batch_of(rows, schema)
            except ValueError as error:
                raise Surprise(str(error)) from error

    def _rows(self, piece: Piece, findings: Findings) -> Iterator[_Rows]:
        head = piece.head()
        kind = sniff.format_of(head)
        encoding = sniff.encoding_of(head)
        first = head.decode(encoding, errors="replace").lstrip()[:1]
        if kind or first not in ("{", "["):
            raise SourceError(f"'{piece.name}'", f"is not JSON{' but ' + kind if kind else ''}")
        alone = b"\n" not in head.strip() and encoding.startswith("utf-8")
        rows = self._array(piece, encoding, sure=first == "[") if first == "[" or alone or _is_pretty(head) else None
        if rows is not None:
            yield rows
            return
        with piece.open() as stream:
            for block in blocks(stream, encoding, quotes=False):
                rows = _objects(block.decode("utf-8", errors="replace"), block.line, piece.name, findings)
                if rows:
                    yield rows

    def _array(self, piece: Piece, encoding: str, *, sure: bool) -> _Rows | None:
        """The rows of a file that is one JSON value; None where it is one value a line after all."""
        with piece.open() as stream:
            try:
                plain = _loaded(stream.read().decode(encoding))
            except ValueError as error:
                if not sure:
                    return None
                raise SourceError(f"'{piece.name}'", f"is not JSON ({error})") from error
        if isinstance(plain, dict):
            lists = [v for v in plain.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
            plain = lists[0] if len(lists) == 1 else [plain]
        if not all(isinstance(row, dict) for row in plain):
            raise SourceError(f"'{piece.name}'", "must hold an array of objects")
        return [flat(row) for row in plain]


def _is_pretty(head: bytes) -> bool:
    """Whether the first line is only the start of an object that goes on over lines."""
    try:
        json.loads(head.partition(b"\n")[0])
    except ValueError:
        return b"\n" in head
    return False


def _loaded(text: str) -> Any:
    """A JSON value.

    Raises:
        ValueError: it is none, is nested too deeply, or holds half a character.
    """
    try:
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character") from error
    return value


def _objects(text: str, line: int, name: str, findings: Findings) -> _Rows:
    rows: _Rows = []
    for number, raw in enumerate(text.split("\n"), line):
        if not raw.strip():
            continue
        try:
            value = _loaded(raw)
        except ValueError as error:
            findings.bad.append(BadLine(number, f"not JSON ({error})", raw.rstrip("\r"), name))
            continue
        if isinstance(value, dict):
            rows.append(flat(value))
        else:
            findings.bad.append(BadLine(number, "not a JSON object", raw.rstrip("\r"), name))
    return rows
