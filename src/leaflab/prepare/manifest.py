"""A dataset without its rows, as plain JSON: what the lake keeps beside the last of the three parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leaflab.scorer.columns import Column
from leaflab.values import Dataset, Roles

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["from_manifest", "manifest"]

_PLAIN = ("name", "task", "digests", "versions", "raw", "features", "facts", "monotone")

_LONG = ("label_issues",)


def manifest(dataset: Dataset) -> dict[str, Any]:
    """Everything of a dataset but its tables."""
    plain: dict[str, Any] = {key: getattr(dataset, key) for key in _PLAIN}
    plain["facts"] = {key: fact for key, fact in dataset.facts.items() if key not in _LONG}
    plain |= {"id": dataset.id, "roles": asdict(dataset.roles), "classes": list(dataset.classes)}
    return plain | {"columns": [c.to_json() for c in dataset.columns]}


def from_manifest(plain: Mapping[str, Any], parts: Mapping[str, pa.Table], versions: Mapping[str, int]) -> Dataset:
    """The dataset of a manifest and its tables."""
    known = {key: plain[key] for key in _PLAIN}
    return Dataset(
        **{**known, "versions": dict(versions)},
        roles=Roles(**plain["roles"]),
        classes=tuple(plain["classes"]),
        columns=tuple(Column.from_json(c) for c in plain["columns"]),
        parts=parts,
    )
