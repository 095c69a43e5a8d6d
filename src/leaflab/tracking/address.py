"""Tracking URIs: which one holds, what kind of store it names, and how it may be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

__all__ = ["artifact_place", "chosen", "is_server", "masked", "sqlite_file"]

_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]+)@")
_SQLITE = "sqlite:///"


def chosen(given: str | None, home: Path) -> str:
    """The tracking URI that holds: the given one, else MLFLOW_TRACKING_URI, else the project folder's own store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{home.resolve() / 'mlflow.db'}"


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def sqlite_file(uri: str) -> Path | None:
    """The database file of a sqlite URI, absolute; None for any other store.

    >>> sqlite_file("sqlite:////srv/mlflow.db")
    PosixPath('/srv/mlflow.db')
    """
    return Path(unquote(uri.removeprefix(_SQLITE))).resolve() if uri.startswith(_SQLITE) else None


def masked(text: str) -> str:
    """The same text with passwords inside URLs hidden.

    >>> masked("see http://me:pw@host:5000")
    'see http://me:***@host:5000'
    """
    return _PASSWORD.sub(r"\1:***@", text)


def artifact_place(uri: str, experiment: str) -> str | None:
    """Where the files of a new experiment go beside a local database; None leaves it to the server."""
    file = sqlite_file(uri)
    return str(file.parent / "mlartifacts" / quote(experiment, safe=" ")) if file else None
