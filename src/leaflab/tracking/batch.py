"""Items as MLflow can store them: names it accepts, values it keeps, and what it would refuse put beside."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leaflab.tracking.address import masked
from leaflab.values import Artifact, Input, Item, Metric, Model, Param, Tag

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Batch", "Point", "StoredModel", "batched", "chunks", "files_of", "legal", "shortened", "storable"]

_ILLEGAL = re.compile(r"[^\w\-. /:]")
_KEY, _PARAM, _TAG = 250, 6000, 8000


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds since the epoch."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class StoredModel:
    """A model as it is written: texts only, under an identity of its own, so that writing it twice makes one.

    Args:
        uid: 32 hex characters.
        files: the scorer's files, name to text.
        example: MLflow's input example files, name to text.
    """

    uid: str
    name: str
    files: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    example: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> StoredModel:
        example = example_files(model.example) if model.example is not None else {}
        return cls(uuid.uuid4().hex, model.name, files_of(model), dict(model.metrics), dict(model.params), example)


def files_of(model: Model) -> dict[str, str]:
    """The scorer files of a model, name to text."""
    if isinstance(model.files, Path):
        return {p.name: p.read_text(encoding="utf-8") for p in sorted(model.files.iterdir()) if p.is_file()}
    return dict(model.files)


_last_example: list[tuple[pa.Table, dict[str, str]]] = []


def example_files(table: pa.Table) -> dict[str, str]:
    """MLflow's two example files; a sweep shows the same rows with every model, so the last answer is kept."""
    if not _last_example or _last_example[0][0] is not table:
        split = json.loads(table.slice(0, 5).to_pandas().to_json(orient="split", date_format="iso"))
        split.pop("index", None)
        texts = {
            "input_example.json": json.dumps(split),
            "serving_input_example.json": json.dumps({"dataframe_split": split}),
        }
        _last_example[:] = [(table, texts)]
    return _last_example[0][1]


@dataclass
class Batch:
    """Items by kind, ready to be stored; long values stand whole in `artifacts`.

    Args:
        at: when they were logged, in milliseconds since the epoch.
    """

    at: int = 0

    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    models: list[StoredModel] = field(default_factory=list)


def batched(items: Iterable[Item], at: float | None = None) -> Batch:
    """Sorts items by kind; `at` is their time in seconds since the epoch (default: now)."""
    now = int((time.time() if at is None else at) * 1000)
    batch = Batch(now)
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
                batch.models.append(StoredModel.of(item))
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
    kind, key, value = entry[0], legal(entry[1]), masked(storable(entry[2]))
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
    name = _inside(_ILLEGAL.sub("_", key)) or "_"
    return shortened(name, _KEY, "-" + hashlib.sha256(key.encode()).hexdigest()[:8])


def _inside(path: str) -> str:
    """A path that leads nowhere else."""
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def storable(text: str) -> str:
    """A text that every database holds: NUL and halves of characters become the replacement character.

    >>> storable("a\\x00b") == storable("a\\ud800b") == "a\ufffdb"
    True
    """
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


def shortened(text: str, limit: int, ending: str) -> str:
    return text if len(text) <= limit else text[: limit - len(ending)] + ending


def _clean(artifact: Artifact) -> Artifact:
    content = artifact.content
    path = _inside(storable(artifact.path))
    return Artifact(path, masked(storable(content)) if isinstance(content, str) else content)


def chunks(batch: Batch, *, points: int = 1000, pairs: int = 100) -> Iterator[Batch]:
    """The same params, tags and points in pieces that one request may carry."""
    params, tags = list(batch.params.items()), list(batch.tags.items())
    for start in range(0, max(len(params), len(tags)), pairs):
        yield Batch(params=dict(params[start : start + pairs]), tags=dict(tags[start : start + pairs]))
    for start in range(0, len(batch.points), points):
        yield Batch(points=batch.points[start : start + points])
