"""Where artifacts lie on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

__all__ = ["local_path"]


def local_path(uri: str) -> Path | None:
    """The local folder of an artifact URI; None where it is elsewhere.

    >>> local_path("file:///srv/mlartifacts/1"), local_path("/srv/mlartifacts/1")
    (PosixPath('/srv/mlartifacts/1'), PosixPath('/srv/mlartifacts/1'))
    >>> local_path("s3://bucket/1"), local_path("mlflow-artifacts:/1")
    (None, None)
    """
    scheme = urlparse(uri).scheme
    if not scheme:
        return Path(uri)
    return Path(unquote(urlparse(uri).path)) if scheme == "file" else None
