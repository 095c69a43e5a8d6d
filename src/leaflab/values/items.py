"""What rooms yield to be logged; tracking alone interprets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Artifact", "Input", "Item", "Metric", "Model", "Param", "Tag"]


@dataclass(frozen=True)
class Param:
    """What was searched or overridden."""

    key: str
    value: Any


@dataclass(frozen=True)
class Metric:
    """A number by name (`valid/log_loss`); `step` orders the points of a curve."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Tag:
    """A text by name; a later one replaces it."""

    key: str
    value: str


@dataclass(frozen=True)
class Artifact:
    """A file of a run: its path inside the run, and its content or the local file that holds it."""

    path: str
    content: str | bytes | Path


@dataclass(frozen=True)
class Input:
    """A dataset part a run used: our digest, never MLflow's.

    Args:
        name: dataset name.
        digest: content digest of the part.
        context: "train", "valid", "test" or "raw".
        source: lake table and version (`lake/dataset/flights/train@3`).
        rows: number of rows.
        schema: column name to type.
    """

    name: str
    digest: str
    context: str
    source: str = ""
    rows: int = 0
    schema: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model of a run: scorer files by name, or a folder that holds them, and rows to show as its input example."""

    files: Mapping[str, str] | Path
    name: str = "model"
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    example: pa.Table | None = None


Item = Param | Metric | Tag | Artifact | Input | Model
