"""Text files as blocks of whole rows in UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

__all__ = ["BLOCK", "Block", "blocks"]

BLOCK = 8 << 20


class Block(bytes):
    """Whole rows; `line` is the number of its first line, `odd` whether a quote in it stays open."""

    line: int
    odd: bool

    def __new__(cls, data: bytes, line: int, odd: bool) -> Block:
        block = super().__new__(cls, data)
        block.line, block.odd = line, odd
        return block


def blocks(stream: IO[bytes], encoding: str, *, quotes: bool = True, size: int = BLOCK) -> Iterator[Block]:
    """Cuts a stream at ends of rows; with `quotes` not at a line break inside a quoted field.

    A block has the same bytes as the file where the file is UTF-8; a block whose quotes do not pair is marked odd.
    """
    line, rest = 1, b""
    for chunk in _utf8(stream, encoding, size):
        rest += chunk
        cut = _cut(rest, quotes)
        if cut:
            block = Block(rest[:cut], line, quotes and rest.count(b'"', 0, cut) % 2 == 1)
            yield block
            line, rest = line + block.count(b"\n"), rest[cut:]
    if rest:
        yield Block(rest, line, quotes and rest.count(b'"') % 2 == 1)


def _cut(data: bytes, quotes: bool) -> int:
    """Where to cut: after the last line break outside quotes, else after the last one; 0 for nowhere yet."""
    last = cut = data.rfind(b"\n") + 1
    if not quotes:
        return cut
    odd = data.count(b'"', 0, cut) % 2
    while odd and cut:
        before = data.rfind(b"\n", 0, cut - 1) + 1
        odd = (odd + data.count(b'"', before, cut)) % 2
        cut = before
    return cut or (last if len(data) > 2 * BLOCK else 0)


def _utf8(stream: IO[bytes], encoding: str, size: int) -> Iterator[bytes]:
    if encoding in ("utf-8", "utf-8-sig"):
        first = stream.read(size)
        yield _unix(first.removeprefix(codecs.BOM_UTF8), first)
        while chunk := stream.read(size):
            yield _unix(chunk, first)
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="leaflab.latin1")
    first = b""
    while chunk := stream.read(size):
        data = decoder.decode(chunk).encode("utf-8")
        first = first or data
        yield _unix(data, first)
    yield decoder.decode(b"", final=True).encode("utf-8")


def _unix(data: bytes, first: bytes) -> bytes:
    """Rows of old files end in a carriage return alone."""
    return data.replace(b"\r", b"\n") if b"\r" in first and b"\n" not in first else data


def _latin1(error: UnicodeError) -> tuple[str, int]:
    """Bytes that Windows-1252 leaves undefined read as Latin-1 has them."""
    if isinstance(error, UnicodeDecodeError):
        return error.object[error.start : error.end].decode("latin-1"), error.end
    raise error


codecs.register_error("leaflab.latin1", _latin1)
