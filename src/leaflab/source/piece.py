"""One file among those a source reads, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from leaflab.errors import SourceError

__all__ = ["Piece", "pieces_of"]


@dataclass(frozen=True)
class Piece:
    """A file, opened anew by each call of `open`.

    Args:
        name: how the user knows it.
        stem: its name without folders and endings.
        ending: its last ending, lower case, without the dot, once the compression's is taken off.
        open: opens it for reading bytes.
    """

    name: str
    stem: str
    ending: str
    open: Callable[[], IO[bytes]]

    @staticmethod
    def stem_of(path: str) -> str:
        """A path's last part without its ending.

        >>> Piece.stem_of("data/prices 2024.csv")
        'prices 2024'
        """
        return Path(path).stem

    def head(self, size: int = 1 << 16) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(size)


def pieces_of(path: str) -> list[Piece]:
    """The files a path names, in order.

    Raises:
        SourceError: there is none, or it cannot be read.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise SourceError(f"'{path}'", "is a folder", hint="name a file, as in source.path=prices.csv")
    if not file.exists():
        raise SourceError(f"'{path}'", "does not exist", hint=f"it was looked for in {Path.cwd()}")
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise SourceError(f"'{path}'", "is empty")
    except OSError as error:
        raise SourceError(f"'{path}'", f"cannot be read ({error.strerror})") from error
    return [Piece(path, file.stem, file.suffix.lower().lstrip("."), lambda: file.open("rb"))]
