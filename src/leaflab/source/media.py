"""Folders of pictures, sounds and videos, as rows of features."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.option import option
from leaflab.source.base import BadLine, Kept, Reading, Source
from leaflab.source.folding import batch_of, type_of
from leaflab.source.measuring import Kind, Measured, Task, measure_all, versions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Audio", "Images", "Media", "Video"]

_BYTES = re.compile("<_io.BytesIO [^>]*>")  # as decoders name a file that they were given the bytes of
_ALIKE = 4  # bits of 64 in which the hashes of pictures that look alike may differ


class Media(Source):
    """One row a file: `path` in the folder, `digest` of its bytes, its labels, and what extractors measure of it.

    A file that cannot be decoded is set aside with its reason. The label is the name of the folder a file lies in, or
    the columns of a table beside it that has a column of file names.
    """

    kind: ClassVar[Kind]
    endings: ClassVar[frozenset[str]]
    needs: ClassVar[Mapping[str, str]]

    path: str | None
    labels: str | None
    features: list[str]
    processes: int
    cache: str

    @property
    def default_name(self) -> str | None:
        return Path(self.path).resolve().name if self.path else None

    def read(self) -> Reading:
        folder = self._folder()
        self._check()
        files = [f for f in sorted(folder.rglob("*")) if f.suffix.lower() in self.endings and f.is_file()]
        if not files:
            raise SourceError(
                f"'{self.path}'", f"holds no {self.kind}", hint=f"looked for {', '.join(sorted(self.endings))}"
            )
        labels = self._labels(folder)
        tasks = [Task(file, self.kind, tuple(self.features), Path(self.cache)) for file in files]
        reading = Reading(_nothing(), iter(()), str(folder))
        measured = _shown(measure_all(tasks, self.processes or os.cpu_count() or 1), len(files), self.kind)
        everything = list(self._rows(measured, folder, labels, reading))
        if not everything:
            raise SourceError(f"'{self.path}'", f"holds no {self.kind} that can be decoded")
        self._after(everything, reading)
        names = dict.fromkeys(name for row in everything for name in row)
        import pyarrow as pa

        schema = pa.schema([(name, type_of(row.get(name) for row in everything)) for name in names])
        reading.schema, reading.batches = schema, iter([batch_of(everything, schema)])
        return reading

    def _rows(
        self,
        measured: Iterator[Measured],
        folder: Path,
        labels: Mapping[str, Mapping[str, Any]] | None,
        reading: Reading,
    ) -> Iterator[dict[str, Any]]:
        for number, each in enumerate(measured, 1):
            path = each.file.relative_to(folder).as_posix()
            if each.error:
                reading.bad.append(BadLine(number, _BYTES.sub(repr(path), each.error), path, str(folder)))
                continue
            told = _told(path, labels)
            label = next((str(v) for k, v in told.items() if k == "label"), None)
            reading.media.append(Kept(each.file, path, each.digest, self.kind, each.size, _shape(each.features), label))
            yield {"path": path, "digest": each.digest, **told, **each.features}

    def _after(self, rows: list[dict[str, Any]], reading: Reading) -> None:
        """A look at all rows together."""

    def _folder(self) -> Path:
        if not self.path:
            raise ConfigError(
                "`source.path`", "is not set", hint=f"name a folder of {self.kind}, as in source.path=recordings"
            )
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            rule = "is not a folder" if folder.exists() else "does not exist"
            raise SourceError(f"'{self.path}'", rule, hint=f"it was looked for in {Path.cwd()}")
        return folder

    def _check(self) -> None:
        for package in self.needs:
            if find_spec(package) is None:
                raise ExtraError(f"source={self.kind}", "media")
        known = versions(self.kind)
        wrong = [name for name in self.features if name not in known]
        if wrong:
            raise ConfigError("`source.features`", f"knows {', '.join(known)}", got=wrong[0])

    def _labels(self, folder: Path) -> Mapping[str, Mapping[str, Any]] | None:
        """File name or path to the columns that a table has of it; None where folders are the labels."""
        if self.labels is None:
            return None
        from leaflab.source.file import File

        file = folder / self.labels if (folder / self.labels).is_file() else Path(self.labels)
        rows = File(path=str(file)).read().table().to_pylist()
        here = {f.relative_to(folder).as_posix() for f in folder.rglob("*")} | {f.name for f in folder.rglob("*")}
        keys = [name for name in rows[0] if any(str(row[name]) in here for row in rows)]
        if not keys:
            raise SourceError(f"'{file}'", f"has no column of file names that are in '{self.path}'")
        return {str(row[keys[0]]): {k: v for k, v in row.items() if k != keys[0]} for row in rows}


def _shown(measured: Iterator[Measured], total: int, what: str) -> Iterator[Measured]:
    """The same, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(measured, what, total, console=console, transient=True, disable=not console.is_terminal)


def _told(path: str, labels: Mapping[str, Mapping[str, Any]] | None) -> Mapping[str, Any]:
    if labels is not None:
        return labels.get(path) or labels.get(Path(path).name) or {}
    return {"label": Path(path).parent.as_posix()} if "/" in path else {}


def _shape(features: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(features[name]) for name in ("width", "height", "duration") if name in features}


def _nothing() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([])


@option
class Images(Media):
    """Pictures. `look` is the same for pictures that look alike: as `dataset.group` it keeps them in one part.

    Args:
        path: the folder.
        labels: a table of labels, in the folder or beside it; null takes the names of subfolders.
        features: size, exif, colour, hog, grid, phash.
        processes: how many; 0 for one a core.
        cache: where features are kept.
    """

    kind = "images"
    endings = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"})
    needs: ClassVar[Mapping[str, str]] = {"PIL": "pillow"}

    path: str | None = None
    labels: str | None = None
    features: list[str] = Field(default_factory=lambda: ["size", "colour", "hog", "phash"])
    processes: Annotated[int, Field(ge=0)] = 0
    cache: str = ".leaflab/media"

    def _after(self, rows: list[dict[str, Any]], reading: Reading) -> None:
        if "phash" not in self.features:
            return
        import numpy as np

        from leaflab.source.pixels import distance

        hashes = np.asarray([int(row["phash"], 16) for row in rows], dtype="uint64")
        looks = np.arange(len(rows))
        for at in range(1, len(rows)):
            near = np.flatnonzero(distance(hashes[:at], hashes[at]) <= _ALIKE)
            if len(near):
                looks[at] = looks[near[0]]
        for row, look in zip(rows, looks, strict=True):
            row["look"] = rows[look]["digest"][:16]
        alike = len(rows) - len(set(looks.tolist()))
        if alike:
            reading.notes.append(f"{alike:,} pictures look like another one (column look)")


@option
class Audio(Media):
    """Sounds.

    Args:
        path: the folder.
        labels: a table of labels, in the folder or beside it; null takes the names of subfolders.
        features: basic, mfcc, course, spectrum.
        processes: how many; 0 for one a core.
        cache: where features are kept.
    """

    kind = "audio"
    endings = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au"})
    needs: ClassVar[Mapping[str, str]] = {"soundfile": "soundfile"}

    path: str | None = None
    labels: str | None = None
    features: list[str] = Field(default_factory=lambda: ["basic", "mfcc", "course", "spectrum"])
    processes: Annotated[int, Field(ge=0)] = 0
    cache: str = ".leaflab/media"


@option
class Video(Media):
    """Videos.

    Args:
        path: the folder.
        labels: a table of labels, in the folder or beside it; null takes the names of subfolders.
        features: basic, colour, motion.
        processes: how many; 0 for one a core.
        cache: where features are kept.
    """

    kind = "video"
    endings = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"})
    needs: ClassVar[Mapping[str, str]] = {"av": "av", "PIL": "pillow"}

    path: str | None = None
    labels: str | None = None
    features: list[str] = Field(default_factory=lambda: ["basic", "colour", "motion"])
    processes: Annotated[int, Field(ge=0)] = 0
    cache: str = ".leaflab/media"
