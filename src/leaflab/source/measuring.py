"""Measuring one media file, in whatever process: read it, decode it, take its features, remember them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Kind", "Measured", "Task", "measure", "measure_all", "versions"]

Kind = Literal["images", "audio", "video"]
_FEW = 32  # files that are not worth starting processes for


@dataclass(frozen=True)
class Task:
    """One file to measure, and where what is known of it is kept."""

    file: Path
    kind: Kind
    extractors: tuple[str, ...]
    cache: Path


@dataclass(frozen=True)
class Measured:
    """What a file is: its digest and bytes, and its features, or why it has none."""

    file: Path
    digest: str
    size: int
    features: dict[str, Any]
    error: str = ""


def versions(kind: Kind) -> dict[str, int]:
    """The extractors of a kind with their versions."""
    return {name: version for name, (version, _) in _table(kind).items()}


def _table(kind: Kind) -> Any:
    if kind == "images":
        from leaflab.source.pixels import IMAGE

        return IMAGE
    if kind == "audio":
        from leaflab.source.sound import AUDIO

        return AUDIO
    from leaflab.source.film import VIDEO

    return VIDEO


def _opened(kind: Kind, data: bytes) -> Any:
    if kind == "images":
        from leaflab.source.pixels import open_image

        return open_image(data)
    if kind == "audio":
        from leaflab.source.sound import open_sound

        return open_sound(data)
    from leaflab.source.film import open_film

    return open_film(data)


def measure(task: Task) -> Measured:
    """The features of a file; those of the same bytes and extractor versions are taken from the cache."""
    try:
        data = task.file.read_bytes()
    except OSError as error:
        return Measured(task.file, "", 0, {}, f"cannot be read ({error.strerror})")
    digest = hashlib.sha256(data).hexdigest()
    known = versions(task.kind)
    key = "-".join(f"{name}{known[name]}" for name in task.extractors)
    kept = task.cache / task.kind / digest[:2] / f"{digest}.{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"
    if kept.is_file():
        return Measured(task.file, digest, len(data), _revived(json.loads(kept.read_text(encoding="utf-8"))))
    try:
        opened = _opened(task.kind, data)
        features: dict[str, Any] = {}
        for name in task.extractors:
            features |= _table(task.kind)[name][1](opened)
    except ValueError as error:
        return Measured(task.file, digest, len(data), {}, str(error))
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(features, default=str), encoding="utf-8")
    fresh.replace(kept)
    return Measured(task.file, digest, len(data), features)


def _revived(features: dict[str, Any]) -> dict[str, Any]:
    """A time of the cache is a time again."""
    import datetime as dt

    if isinstance(features.get("taken"), str):
        features["taken"] = dt.datetime.fromisoformat(features["taken"])
    return features


def measure_all(tasks: Sequence[Task], processes: int) -> Iterator[Measured]:
    """The features of files in their order, spread over processes where there are many."""
    if len(tasks) <= _FEW or processes <= 1:
        yield from map(measure, tasks)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield from pool.map(measure, tasks, chunksize=8)


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
