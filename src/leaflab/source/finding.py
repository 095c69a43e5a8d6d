"""From what a user points at (a file, a folder, a pattern, an archive, a URL) to the files to read."""

from __future__ import annotations

import glob
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from leaflab.errors import ExtraError, SourceError
from leaflab.source.download import downloaded, without_secrets
from leaflab.source.piece import COMPRESSED, Opening, Piece, readable, unpacked

__all__ = ["find", "opened", "stem_of"]

_DEEPEST = 3  # archives in one another; some hold themselves
_EXTRAS = {"s3": "s3", "s3a": "s3"}


def find(path: str, endings: set[str], storage: Mapping[str, Any]) -> list[Piece]:
    """The files a path names, in the order of their names.

    Args:
        path: a file, a folder, a pattern (`data/*.csv`, `data/**/*.json`), or a URL.
        endings: those that a folder's files must have to count.
        storage: options of the object store.

    Raises:
        SourceError: there is none, or it cannot be reached.
        ExtraError: the package for a store is not installed.
    """
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme in ("http", "https"):
        found = [downloaded(path)]
    elif scheme and scheme != "file":
        found = _stored(path, scheme, storage)
    else:
        found = _local(unquote(urlsplit(path).path) if scheme else path, endings)
    return found


def stem_of(path: str) -> str | None:
    """A name for what a path names: its last part without endings, or its folder's where that is a pattern.

    >>> stem_of("data/prices 2024.csv.gz"), stem_of("data/2024-*.csv"), stem_of("https://x.org/a/b.json?key=1")
    ('prices 2024', 'data', 'b')
    """
    if "://" in path:
        path = unquote(urlsplit(path).path)
    pure = PurePosixPath(path)
    named = next((part for part in reversed(pure.parts) if not re.search(r"[*?\[/]", part)), None)
    if named is None:
        return None
    while PurePosixPath(named).suffix.lower().lstrip(".") in COMPRESSED:
        named = PurePosixPath(named).stem
    return PurePosixPath(named).stem


def _local(path: str, endings: set[str]) -> list[Piece]:
    file = Path(path).expanduser()
    if file.is_dir():
        files = [f for f in sorted(file.rglob("*")) if f.is_file() and _counts(f.relative_to(file), endings)]
        missing = SourceError(
            f"'{path}'", "holds no table", hint=f"its files end in none of {', '.join(sorted(endings))}"
        )
    elif file.exists() or not glob.has_magic(path):
        files = [file]
        missing = None
    else:
        files = [Path(f) for f in sorted(glob.iglob(str(file), recursive=True)) if Path(f).is_file()]  # noqa: PTH207
        missing = SourceError(f"'{path}'", "matches no file", hint=f"it was looked for in {Path.cwd()}")
    if not files and missing:
        raise missing
    for each in files:
        _check(each, path if len(files) == 1 else str(each))
    return [Piece(path if len(files) == 1 else str(f), f.name, _opener(f)) for f in files]


def _opener(file: Path) -> Opening:
    return lambda: file.open("rb")


def _counts(file: Path, endings: set[str]) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.parts)
    return not hidden and bool({e.lstrip(".").lower() for e in file.suffixes[-2:]} & (endings | {"zip"}))


def _check(file: Path, name: str) -> None:
    if not file.exists():
        raise SourceError(f"'{name}'", "does not exist", hint=f"it was looked for in {Path.cwd()}")
    with readable(name), file.open("rb") as stream:
        if not stream.read(1):
            raise SourceError(f"'{name}'", "is empty")


def opened(piece: Piece, endings: set[str], depth: int = 0) -> Iterator[Piece]:
    """The members of an archive and of archives in it, each under its own name, or the file itself."""
    if piece.ending != "zip":
        yield unpacked(piece)
        return
    if depth == _DEEPEST:
        raise SourceError(f"'{piece.name}'", f"is an archive in {_DEEPEST} others", hint="unpack it first")
    with readable(piece.name), piece.seekable() as stream, zipfile.ZipFile(stream) as archive:
        members = [i for i in archive.infolist() if not i.is_dir() and _counts(Path(i.filename), endings)]
        if any(i.flag_bits & 1 for i in members):
            raise SourceError(f"'{piece.name}'", "is an archive with a password", hint="unpack it first")
    if not members:
        raise SourceError(f"'{piece.name}'", "is an archive without a table")
    for member in sorted(members, key=lambda i: i.filename):
        name = piece.name if len(members) == 1 else f"{piece.name}:{member.filename}"
        inner = Piece(name, PurePosixPath(member.filename).name, partial(_member, piece, member.filename))
        yield from opened(inner, endings, depth + 1)


@contextmanager
def _member(piece: Piece, name: str) -> Iterator[IO[bytes]]:
    with piece.seekable() as stream, zipfile.ZipFile(stream) as archive, archive.open(name) as member:
        yield member


def _stored(path: str, scheme: str, storage: Mapping[str, Any]) -> list[Piece]:
    """Files of an object store, through fsspec."""
    import fsspec
    from fsspec.registry import known_implementations

    try:
        files, root = fsspec.core.url_to_fs(path, **storage)
    except ImportError as error:
        if scheme in _EXTRAS:
            raise ExtraError(f"a source at {scheme}://", _EXTRAS[scheme]) from error
        package = str(known_implementations[scheme]["class"]).partition(".")[0]
        hint = f"pip install {package}"
        raise SourceError(f"a source at {scheme}://", f"needs the package {package}", hint=hint) from error
    except ValueError as error:
        raise SourceError("`source.path`", "names no store that is known", got=f"{scheme}://") from error
    name = without_secrets(path)
    try:
        found = sorted(files.glob(root)) if glob.has_magic(root) else files.find(root)
    except Exception as error:  # every store has its own errors
        raise SourceError(f"'{name}'", f"cannot be reached ({str(error).splitlines()[0]})") from error
    if not found:
        raise SourceError(f"'{name}'", "names no file")
    return [Piece(f"{scheme}://{e}", PurePosixPath(e).name, partial(files.open, e, mode="rb")) for e in found]
