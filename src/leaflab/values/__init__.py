"""Frozen records that cross rooms; no behaviour beyond what a record knows of itself."""

from __future__ import annotations

from leaflab.values.data import PARTS, ROW_ID, Dataset, Part, Raw, Roles, Task, roles_key
from leaflab.values.items import Artifact, Input, Item, Metric, Model, Param, Tag
from leaflab.values.models import Evidence, Judged, Seeds, State, Trial, Verdict, Version
from leaflab.values.shown import Shown, typed

__all__ = [
    "PARTS",
    "ROW_ID",
    "Artifact",
    "Dataset",
    "Evidence",
    "Input",
    "Item",
    "Judged",
    "Metric",
    "Model",
    "Param",
    "Part",
    "Raw",
    "Roles",
    "Seeds",
    "Shown",
    "State",
    "Tag",
    "Task",
    "Trial",
    "Verdict",
    "Version",
    "roles_key",
    "typed",
]
