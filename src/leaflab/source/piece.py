"""One file among those a source reads, wherever it lies and however it is packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, Any, cast

from leaflab.errors import SourceError

__all__ = ["COMPRESSED", "Opening", "Piece", "readable", "unpacked"]

_IN_MEMORY = 64 << 20
_SLOW = (zipfile.ZipExtFile, gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile)  # a step back reads from the start


Opening = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class Piece:
    """A file, opened anew by each call of `open`.

    Args:
        name: how the user knows it.
        file: its file name; the endings say its format and compression.
        open: opens it for reading bytes, unpacked, inside a `with`.
    """

    name: str
    file: str
    open: Opening

    @property
    def ending(self) -> str:
        """Its last ending, lower case, without the dot."""
        return PurePosixPath(self.file.lower()).suffix.lstrip(".")

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes."""
        with readable(self.name), self.open() as stream:
            return stream.read(size)

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """Opens it for reading at any place; what cannot be read so is copied first."""
        with self.open() as stream:
            if stream.seekable() and not isinstance(stream, _SLOW):
                yield stream
                return
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
                copy.seek(0)
                yield cast(IO[bytes], copy)


def _gzip(stream: IO[bytes]) -> AbstractContextManager[Any]:
    return gzip.GzipFile(fileobj=stream)


def _zstandard(stream: Any) -> AbstractContextManager[Any]:
    import pyarrow as pa

    return pa.CompressedInputStream(stream, "zstd")


COMPRESSED: dict[str, Callable[[IO[bytes]], AbstractContextManager[Any]]] = {
    "gz": _gzip,
    "zst": _zstandard,
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


def unpacked(piece: Piece) -> Piece:
    """The file inside a compressed one; any other file itself."""
    if piece.ending not in COMPRESSED:
        return piece

    @contextmanager
    def open_() -> Iterator[IO[bytes]]:
        with piece.open() as packed, COMPRESSED[piece.ending](packed) as stream:
            yield stream

    return replace(piece, file=piece.file[: -len(piece.ending) - 1], open=open_)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Says in one sentence that a file or archive cannot be read.

    Raises:
        SourceError: reading failed inside the block.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise SourceError(f"'{name}'", f"cannot be read ({reason.rstrip('.')})") from error
