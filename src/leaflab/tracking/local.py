"""Tracking in the project folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from leaflab.option import option
from leaflab.tracking.keeping import Models
from leaflab.tracking.store import MlflowTracking

__all__ = ["Local"]


@option
class Local(MlflowTracking):
    """MLflow on `mlflow.db` and `mlartifacts/` in the project folder: no server, safe for many processes at once.

    Args:
        home: the project folder.
        uri: another store; null takes MLFLOW_TRACKING_URI, else the project folder's own.
        models: which trials keep their model: "all" (the `top_k` best from `all_up_to` trials on), "top_k" or "best".
        top_k: how many are the best.
        all_up_to: trials of one sweep that all keep their model.
    """

    home: Path
    address: str | None = Field(default=None, alias="uri")
    models: Models = "all"
    top_k: Annotated[int, Field(ge=1)] = 10
    all_up_to: Annotated[int, Field(ge=0)] = 1000
