"""A file of a web server, downloaded once."""

from __future__ import annotations

import http.client
import shutil
import tempfile
import urllib.error
import urllib.request
import weakref
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from leaflab.errors import SourceError
from leaflab.source.piece import Piece

__all__ = ["downloaded", "without_secrets"]

_SECONDS = 60


def without_secrets(path: str) -> str:
    """A path without the user, password and query of a URL.

    >>> without_secrets("https://me:secret@x.org/a.csv?token=1")
    'https://x.org/a.csv'
    """
    if "://" not in path:
        return path
    parts = urlsplit(path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def downloaded(url: str) -> Piece:
    """A URL's file; the first opening downloads it, the copy goes with the piece."""
    kept: list[Path] = []

    def open_() -> IO[bytes]:
        if not kept:
            folder = Path(tempfile.mkdtemp(prefix="leaflab-"))
            weakref.finalize(open_, shutil.rmtree, folder, ignore_errors=True)
            _fetch(url, folder / "file")
            kept.append(folder / "file")
        return kept[0].open("rb")

    return Piece(without_secrets(url), PurePosixPath(unquote(urlsplit(url).path)).name, open_)


def _fetch(url: str, path: Path) -> None:
    """Downloads a whole file.

    Raises:
        SourceError: the server cannot be reached, refuses, or stops halfway.
    """
    name = without_secrets(url)
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer, path.open("wb") as out:
            while chunk := answer.read(1 << 20):
                out.write(chunk)
            promised = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise SourceError(f"'{name}'", f"was refused by its server ({error.code} {error.reason})") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        raise SourceError(f"'{name}'", f"cannot be reached ({getattr(error, 'reason', error)})") from error
    except OSError as error:
        raise SourceError(f"'{name}'", f"cannot be downloaded to '{path.parent}' ({error.strerror})") from error
    got = path.stat().st_size
    if promised is not None and int(promised) != got:
        raise SourceError(f"'{name}'", f"stopped after {got:,} of {int(promised):,} bytes")
