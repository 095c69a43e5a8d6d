"""What the first bytes of a file tell: its format, encoding, delimiter."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter

__all__ = ["FALLBACK", "delimiter_of", "encoding_of", "format_of", "has_valid_utf8", "is_binary", "said_delimiter"]

FALLBACK = "cp1252"
_DELIMITERS = ",;\t|"
_MAGIC = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3\x00": "an SQLite database",
    b"%PDF": "PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"RIFF": "a sound or video file",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def format_of(head: bytes) -> str:
    """What a binary file is by its first bytes; "" for text and for what is not known."""
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")


def is_binary(head: bytes) -> bool:
    """Whether bytes hold what no text in a one-byte encoding or UTF-8 does: more than a few control codes.

    A run of zeros counts once: loggers leave one in a file of text when their power fails.

    >>> is_binary(b"a,b\\n1,2\\n"), is_binary(b"a,b\\n1,2\\n" + bytes(4096)), is_binary(bytes(range(256)))
    (False, False, True)
    """
    text = re.sub(rb"\x00+", b"\x00", head)
    control = sum(map(text.count, (bytes([code]) for code in range(32) if code not in (9, 10, 11, 12, 13, 26, 27))))
    return control > max(4, len(text) // 100)


def encoding_of(head: bytes) -> str:
    """The encoding of a text file: its mark, UTF-16 by its zero bytes, UTF-8 if it reads as such, else Windows-1252.

    >>> encoding_of("naïve".encode()), encoding_of("naïve".encode("latin-1")), encoding_of("a,b".encode("utf-16-le"))
    ('utf-8', 'cp1252', 'utf-16-le')
    """
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    text = re.sub(rb"\x00{3,}", b"", head)
    even, odd = text[0::2].count(0), text[1::2].count(0)
    if max(even, odd) > len(text) // 5:
        return "utf-16-le" if odd > even else "utf-16-be"
    if has_valid_utf8(head) or head.isascii():
        return "utf-8"
    return FALLBACK


def has_valid_utf8(data: bytes) -> bool:
    """Whether bytes hold more well-formed multi-byte characters of UTF-8 than malformed ones."""
    text = data.decode("utf-8", errors="replace")
    wide = sum(map(text.count, {c for c in set(text) if c > "\x7f" and c != "\ufffd"}))
    return wide > text.count("\ufffd")


def said_delimiter(text: str) -> str:
    """The delimiter of a first line `sep=;`, as spreadsheets write it; "" where there is none."""
    match = re.match(r"sep=(.)\r?\n", text)
    return match[1] if match else ""


def delimiter_of(text: str) -> str:
    """The delimiter that cuts most lines into the same number of fields, more than one; a comma where none does.

    >>> delimiter_of("a;b\\n1,5;2\\n2,5;3\\n"), delimiter_of("a\\tb\\n1\\t2"), delimiter_of("alone\\n1")
    (';', '\\t', ',')
    """
    best, score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        lines = text.splitlines()[:200]
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        if width > 1 and (count / sum(widths.values()), width) > score:
            best, score = delimiter, (count / sum(widths.values()), width)
    return best if score[1] else _blank_or_comma(text)


def _blank_or_comma(text: str) -> str:
    """A blank where it cuts every line, and there are some, into the same number of fields."""
    widths = {len(line.split(" ")) for line in text.splitlines()[:200] if line.strip()}
    return " " if len(widths) == 1 and widths != {1} and text.count("\n") > 2 else ","
