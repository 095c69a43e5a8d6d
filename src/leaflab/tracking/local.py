"""Tracking in the project folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from leaflab.option import option
from leaflab.tracking.store import MlflowTracking

__all__ = ["Local"]


@option
class Local(MlflowTracking):
    """MLflow on `mlflow.db` and `mlartifacts/` in the project folder: no server, safe for many processes at once.

    Args:
        home: the project folder.
        uri: another store; null takes MLFLOW_TRACKING_URI, else the project folder's own.
    """

    home: Path
    address: str | None = Field(default=None, alias="uri")
