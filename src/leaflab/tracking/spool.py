"""The journal of an open run on disk: what was logged is safe here before any store has heard of it."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from leaflab.tracking.base import RunSpec, Status
from leaflab.tracking.batch import Batch, Point, StoredModel
from leaflab.tracking.writer import Child
from leaflab.values import Artifact, Input

__all__ = ["End", "Op", "Register", "Spool", "found"]

_numbers = itertools.count()
_mine: set[str] = set()  # a process never sees its own locks: these spools are open here


@dataclass(frozen=True)
class End:
    """The end of a run; `at` in seconds since the epoch."""

    status: Status
    at: float


@dataclass(frozen=True)
class Register:
    """The run's newest model is to become a version of a registered model, and its challenger."""

    name: str
    tags: Mapping[str, str]


Op = Batch | Child | End | Register


@dataclass
class Spool:
    """A folder with `head.json` (store and run), `log.jsonl` (an operation a line), `done` (bytes recorded) and blobs.

    A run that began while its store was away has an id of its own until the store gives it one (`begun`).

    Args:
        folder: where it lies.
        head: {"uri", "run_id", "experiment", "name"}; of a run unknown there also "spec", "handed", "started".
        recovered: whether another process began it.
        goes_on: whether its run is open again, so that an end found in it is an old one.
    """

    folder: Path
    head: Mapping[str, Any]
    recovered: bool = False
    goes_on: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: int | None = None
    _size: int = 0
    _done: int = 0
    _given: str = ""

    @classmethod
    def create(cls, root: Path, head: Mapping[str, Any]) -> Spool:
        name = f"{head['run_id']}-{os.getpid()}-{next(_numbers)}"
        made = root / f".{name}"
        made.mkdir(parents=True)
        (made / "head.json").write_text(json.dumps(dict(head)), encoding="utf-8")
        (made / "log.jsonl").touch()
        spool = cls(root / name, head)
        spool._take(made)
        made.rename(spool.folder)
        return spool

    @classmethod
    def reopen(cls, folder: Path) -> Spool | None:
        """A spool that nobody holds any more; None where a process still does."""
        try:
            head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            spool = cls(folder, head, recovered=True)
            if folder.name in _mine or not spool._take(folder):
                return None
            log = (folder / "log.jsonl").read_bytes()
        except (OSError, ValueError):
            return None
        if log and not log.endswith(b"\n"):  # the process died while it wrote this line
            spool._append(b"\n", len(log))
            log += b"\n"
        spool._size = len(log)
        done = folder / "done"
        spool._done = int(done.read_text() or 0) if done.exists() else 0
        begun = folder / "begun"
        spool._given = begun.read_text() if begun.exists() else ""
        return spool

    @property
    def run_id(self) -> str:
        return self._given or self.head["run_id"]

    @property
    def key(self) -> str:
        """The key of a run that began while its store was away."""
        return str(self.head.get("spec", {}).get("key", ""))

    @property
    def unknown(self) -> tuple[RunSpec, str, float] | None:
        """What the store is to begin this run with: its spec, the run handed to us, its start; None where it has."""
        if self._given or "spec" not in self.head:
            return None
        return RunSpec(**self.head["spec"]), self.head["handed"], self.head["started"]

    def begun(self, run_id: str) -> None:
        """The store has begun this run, and calls it so."""
        (self.folder / ".begun").write_text(run_id)
        (self.folder / ".begun").replace(self.folder / "begun")
        self._given = run_id

    @property
    def waiting(self) -> int:
        """Bytes that no store has recorded yet."""
        return self._size - self._done

    @property
    def ended(self) -> bool:
        """Whether the run's end is in the journal."""
        return any(isinstance(op, End) for op, _ in self._read(0, 1 << 40))

    def append(self, op: Op) -> None:
        line = json.dumps(self._packed(op), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._append(line, self._size)
            self._size += len(line)

    def read(self, limit: int) -> list[tuple[Op | None, int]]:
        """Up to `limit` operations not yet recorded, each with the position to acknowledge; None for a broken line."""
        return list(itertools.islice(self._read(self._done, self._size), limit))

    def ack(self, position: int) -> None:
        """Everything up to here is recorded."""
        self._done = position
        partial = self.folder / ".done"
        partial.write_text(str(position))
        partial.replace(self.folder / "done")

    def refuse(self, op: Op, reason: str) -> None:
        """Keeps what the store will not have, beside the spools, so that it is not lost."""
        kept = self.folder.parent / "refused" / f"{self.run_id}.jsonl"
        kept.parent.mkdir(exist_ok=True)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": reason, **self._packed(op)}, ensure_ascii=False) + "\n")

    def close(self, *, remove: bool) -> None:
        """Lets go of the folder; `remove` when everything in it is recorded."""
        if remove:  # under another name first: nobody may find half a spool
            gone = self.folder.with_name(f".gone-{self.folder.name}")
            self.folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None
        _mine.discard(self.folder.name)

    def _take(self, folder: Path) -> bool:
        """Holds a lock that the system frees when this process dies; workers forked from it do not inherit it."""
        handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._held = handle
        _mine.add(self.folder.name)
        return True

    def _append(self, data: bytes, at: int) -> None:
        with (self.folder / "log.jsonl").open("r+b") as file:
            file.seek(at)
            file.write(data)

    def _read(self, start: int, stop: int) -> Iterator[tuple[Op | None, int]]:
        with (self.folder / "log.jsonl").open("rb") as file:
            position = file.seek(start)
            while position < stop and (line := file.readline()):
                position += len(line)
                try:
                    op = self._unpacked(json.loads(line))
                except ValueError:
                    op = None  # half a line of a process that died, or of a full disk
                yield op, position

    def _packed(self, op: Op) -> dict[str, Any]:
        match op:
            case Batch():
                return {"log": self._packed_batch(op)}
            case Child():
                spec = {**vars(op.spec), "tags": dict(op.spec.tags)}
                times = {"status": op.status, "started": op.started, "ended": op.ended}
                return {"child": {"spec": spec, **times}, "batch": self._packed_batch(op.batch)}
            case End():
                return {"end": asdict(op)}
            case Register():
                return {"register": {"name": op.name, "tags": dict(op.tags)}}

    def _unpacked(self, plain: Mapping[str, Any]) -> Op:
        if "end" in plain:
            return End(**plain["end"])
        if "register" in plain:
            return Register(**plain["register"])
        if "log" in plain:
            return self._unpacked_batch(plain["log"])
        child = plain["child"]
        return Child(**{**child, "spec": RunSpec(**child["spec"]), "batch": self._unpacked_batch(plain["batch"])})

    def _packed_batch(self, batch: Batch) -> dict[str, Any]:
        return {
            **{k: getattr(batch, k) for k in ("at", "params", "tags", "points")},
            "inputs": [{**vars(i), "schema": dict(i.schema)} for i in batch.inputs],
            "artifacts": [self._packed_artifact(a) for a in batch.artifacts],
            "models": [{k: dict(v) if isinstance(v, Mapping) else v for k, v in vars(m).items()} for m in batch.models],
        }

    def _unpacked_batch(self, plain: Mapping[str, Any]) -> Batch:
        return Batch(
            plain["at"],
            plain["params"],
            [Point(*p) for p in plain["points"]],
            plain["tags"],
            [Input(**i) for i in plain["inputs"]],
            [Artifact(a["path"], self.folder / a["blob"] if "blob" in a else a["text"]) for a in plain["artifacts"]],
            [StoredModel(**m) for m in plain["models"]],
        )

    def _packed_artifact(self, artifact: Artifact) -> dict[str, str]:
        if isinstance(artifact.content, str):
            return {"path": artifact.path, "text": artifact.content}
        blob = f"blob-{next(_numbers)}-{os.getpid()}"
        if isinstance(artifact.content, Path):
            shutil.copyfile(artifact.content, self.folder / blob)
        else:
            (self.folder / blob).write_bytes(artifact.content)
        return {"path": artifact.path, "blob": blob}


def found(root: Path) -> Iterator[Spool]:
    """The spools in a folder that no living process holds, oldest first."""
    for folder in sorted(root.glob("[!.]*") if root.is_dir() else (), key=_begun):
        spool = Spool.reopen(folder)
        if spool is not None:
            yield spool


def _begun(folder: Path) -> float:
    """When a spool was begun; one that its process ended meanwhile comes last, where nobody finds it any more."""
    try:
        return (folder / "head.json").stat().st_mtime
    except OSError:
        return float("inf")
