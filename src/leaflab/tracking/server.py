"""Tracking on a shared MLflow server."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from leaflab.errors import ConfigError
from leaflab.option import option
from leaflab.tracking.address import is_server, masked
from leaflab.tracking.store import MlflowTracking

__all__ = ["Server"]


@option
class Server(MlflowTracking):
    """An MLflow tracking server; a slow or dead one never stops a sweep.

    Args:
        home: the project folder; what is not yet sent waits in its `.leaflab/spool`.
        uri: `http://…` or `https://…`; null takes MLFLOW_TRACKING_URI.
    """

    home: Path
    address: str | None = Field(default=None, alias="uri")

    @property
    def _uri(self) -> str:
        uri = self.address or os.environ.get("MLFLOW_TRACKING_URI") or ""
        if not is_server(uri):
            way = "give tracking.uri=http://host:5000"
            raise ConfigError("`tracking.uri`", "must be a server's address", got=masked(uri), hint=way)
        return uri
