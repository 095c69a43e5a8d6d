"""Tracking on a shared MLflow server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from leaflab.errors import ConfigError
from leaflab.option import option
from leaflab.tracking.address import is_server, masked
from leaflab.tracking.keeping import Models
from leaflab.tracking.store import MlflowTracking

__all__ = ["Server"]


@option
class Server(MlflowTracking):
    """An MLflow tracking server; a slow or dead one never stops a sweep.

    Args:
        home: the project folder; what is not yet sent waits in its `.leaflab/spool`.
        uri: `http://…` or `https://…`; null takes MLFLOW_TRACKING_URI.
        models: which trials keep their model: "all" (the `top_k` best from `all_up_to` trials on), "top_k" or "best".
        top_k: how many are the best.
        all_up_to: trials of one sweep that all keep their model.
    """

    home: Path
    address: str | None = Field(default=None, alias="uri")
    models: Models = "all"
    top_k: Annotated[int, Field(ge=1)] = 10
    all_up_to: Annotated[int, Field(ge=0)] = 1000

    @property
    def _uri(self) -> str:
        uri = self.address or os.environ.get("MLFLOW_TRACKING_URI") or ""
        if not is_server(uri):
            way = "give tracking.uri=http://host:5000"
            raise ConfigError("`tracking.uri`", "must be a server's address", got=masked(uri), hint=way)
        return uri
