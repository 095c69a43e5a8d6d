"""Messages on disk between a broker and the lake: nothing acknowledged is lost, nothing is committed twice."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Message", "Place", "Spool"]

_HEAD = struct.Struct("<II")  # length and checksum of what follows
_SEGMENT = 64 << 20


@dataclass(frozen=True)
class Message:
    """What a broker delivered.

    Args:
        topic: where it was published.
        payload: its bytes.
        arrived: seconds since the epoch.
        again: whether the broker says that it delivered this one before.
    """

    topic: str
    payload: bytes
    arrived: float
    again: bool = False

    def to_bytes(self) -> bytes:
        head = json.dumps([self.topic, self.arrived, self.again]).encode()
        return struct.pack("<I", len(head)) + head + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        (length,) = struct.unpack_from("<I", data)
        topic, arrived, again = json.loads(data[4 : 4 + length])
        return cls(topic, data[4 + length :], arrived, again)


@dataclass(frozen=True, order=True)
class Place:
    """A place in a spool: how far the lake has it."""

    segment: int = 1
    offset: int = 0


class Spool:
    """An append-only log in numbered files; a record that a crash tore is cut off when the spool is opened.

    Args:
        folder: where the files lie; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment = max(self._segments(), default=1)
        whole = self._whole(self._segment)
        self._file: IO[bytes] = self._path(self._segment).open("ab")
        self._file.truncate(whole)
        self._file.seek(whole)

    def append(self, messages: Sequence[Message]) -> None:
        """Adds messages; they are on the disk when this returns."""
        for message in messages:
            data = message.to_bytes()
            self._file.write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._file.tell() >= _SEGMENT:
            self._file.close()
            self._segment += 1
            self._file = self._path(self._segment).open("ab")

    def read(self, start: Place, limit: int) -> tuple[list[Message], Place]:
        """Up to `limit` messages after a place, and the place after the last of them."""
        found: list[Message] = []
        place = start
        for segment in sorted(s for s in self._segments() if s >= start.segment):
            offset = start.offset if segment == start.segment else 0
            for message, end in self._records(segment, offset):
                found.append(message)
                place = Place(segment, end)
                if len(found) >= limit:
                    return found, place
        return found, place

    def before(self, place: Place) -> list[Message]:
        """Messages before a place that are still there: those of its file and of the one before."""
        found, _ = self.read(Place(max(1, place.segment - 1), 0), 1 << 62)
        after, _ = self.read(place, 1 << 62)
        return found[: len(found) - len(after)]

    def forget(self, place: Place) -> None:
        """Removes files before a place that the lake has; the last of them stays to tell what is delivered again."""
        for segment in self._segments():
            if segment < place.segment - 1:
                self._path(segment).unlink()

    def close(self) -> None:
        self._file.close()

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:08d}.spool"

    def _segments(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.spool")]

    def _records(self, segment: int, offset: int) -> Iterator[tuple[Message, int]]:
        """Whole records of a file from a byte on, each with the byte after it."""
        path = self._path(segment)
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(offset)
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                data = file.read(length)
                if len(data) < length or zlib.crc32(data) != checksum:
                    return
                offset += _HEAD.size + length
                yield Message.from_bytes(data), offset

    def _whole(self, segment: int) -> int:
        """Bytes of a file up to the end of its last whole record."""
        return max((end for _, end in self._records(segment, 0)), default=0)
