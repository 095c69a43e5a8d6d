"""Items as MLflow can store them: names it accepts, values it keeps, and what it would refuse put beside."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from leaflab.tracking.address import masked
from leaflab.values import Artifact, Input, Item, Metric, Model, Param, Tag

__all__ = ["Batch", "Point", "batched", "chunks", "legal", "shortened"]

_ILLEGAL = re.compile(r"[^\w\-. /:]")
_KEY, _PARAM, _TAG = 250, 6000, 8000


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds since the epoch."""

    key: str
    value: float
    time: int
    step: int


@dataclass
class Batch:
    """Items by kind, ready to be stored; long values stand whole in `artifacts`."""

    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)


def batched(items: Iterable[Item], at: float | None = None) -> Batch:
    """Sorts items by kind; `at` is their time in seconds since the epoch (default: now)."""
    batch, now = Batch(), int((time.time() if at is None else at) * 1000)
    for item in items:
        match item:
            case Param(key, value):
                _put(batch, batch.params, ("params", key, str(value)), _PARAM)
            case Tag(key, value):
                _put(batch, batch.tags, ("tags", key, str(value)), _TAG)
            case Metric(key, value, step):
                batch.points.append(Point(legal(key), float(value), now, int(step)))
            case Artifact():
                batch.artifacts.append(_clean(item))
            case Input():
                batch.inputs.append(item)
            case Model():
                batch.models.append(item)
            case _:
                raise TypeError(f"a run cannot record {type(item).__name__}")
    batch.points = _final_last(batch.points)
    return batch


def _final_last(points: list[Point]) -> list[Point]:
    """MLflow shows the point of the highest step; a stepless value after its own curve is the final one."""
    highest: dict[str, int] = {}
    placed = []
    for p in points:
        last = highest[p.key] = max(p.step, highest.get(p.key, 0))
        placed.append(p._replace(step=last, time=p.time + 1) if p.step == 0 < last else p)
    return placed


def _put(batch: Batch, into: dict[str, str], entry: tuple[str, str, str], limit: int) -> None:
    kind, key, value = entry[0], legal(entry[1]), masked(entry[2])
    if len(value) > limit:
        path = f"{kind}/{key.replace('/', '_')}.txt"
        batch.artifacts.append(Artifact(path, value))
        value = shortened(value, limit, f"… ({len(value):,} characters, whole in {path})")
    into[key] = value


def legal(key: str) -> str:
    """A name MLflow accepts: other characters become `_`, a long name keeps its start and a hash of the whole.

    >>> legal("valid/ndcg@5")
    'valid/ndcg_5'
    """
    name = "/".join(part for part in _ILLEGAL.sub("_", key).split("/") if part not in ("", ".", "..")) or "_"
    return shortened(name, _KEY, "-" + hashlib.sha256(key.encode()).hexdigest()[:8])


def shortened(text: str, limit: int, ending: str) -> str:
    return text if len(text) <= limit else text[: limit - len(ending)] + ending


def _clean(artifact: Artifact) -> Artifact:
    if isinstance(artifact.content, str):
        return Artifact(artifact.path, masked(artifact.content))
    return artifact


def chunks(batch: Batch, *, points: int = 1000, pairs: int = 100) -> Iterator[Batch]:
    """The same params, tags and points in pieces that one request may carry."""
    params, tags = list(batch.params.items()), list(batch.tags.items())
    for start in range(0, max(len(params), len(tags)), pairs):
        yield Batch(params=dict(params[start : start + pairs]), tags=dict(tags[start : start + pairs]))
    for start in range(0, len(batch.points), points):
        yield Batch(points=batch.points[start : start + points])
