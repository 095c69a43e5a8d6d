"""The one background writer of a process: carries what runs put into their spools to the store when it is there."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from leaflab.errors import TrackingError
from leaflab.tracking.address import is_server, masked, sqlite_file
from leaflab.tracking.base import RunSpec, Status
from leaflab.tracking.batch import Batch
from leaflab.tracking.opening import AWAY, told
from leaflab.tracking.registry import MlflowRegistry
from leaflab.tracking.spool import End, Op, Register, Spool, found
from leaflab.tracking.writer import Child, Writer

__all__ = ["Projector"]

_log = logging.getLogger(__name__)
_GROUP, _SERVER_GROUP, _LINGER = 32, 8, 0.15
_FIRST_PAUSE, _LONGEST_PAUSE, _LAST_TRY = 0.5, 30.0, 3.0
_NO = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST", "INVALID_STATE")


class Projector:
    """Carries spools into one store; a slow or dead store makes it wait, never its callers.

    Args:
        uri: the store, secrets included.
        root: the folder of spools.
        writer: opens the store; called until it succeeds.
    """

    def __init__(self, uri: str, root: Path, writer: Callable[[], Writer]) -> None:
        self.uri = uri
        self._root = root
        self._open = writer
        self._spools: list[Spool] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._hurry = 0
        self._failing = 0.0
        self._error: TrackingError | None = None
        self._progress = 0.0

    @property
    def _store(self) -> str:
        """How spools name their store: the project folder's own moves with the folder; no secrets."""
        own = self._root.parent.parent / "mlflow.db"
        return "local" if sqlite_file(self.uri) == own else masked(self.uri)

    @property
    def writer(self) -> Writer:
        """The open store, which says here when it has taken something."""
        made = self._open()
        made.pulse = self._touch
        return made

    def _touch(self) -> None:
        self._progress = time.monotonic()

    @property
    def patience(self) -> float:
        """Seconds an ending run waits for a store that makes no progress."""
        return 30.0 if is_server(self.uri) else 60.0

    def begin(self, spec: RunSpec, handed: str = "") -> Spool:
        """Opens a run and its spool; takes up what processes that died have left.

        A server that is away holds nothing up: the run begins in its spool, and in the store when that answers.

        Raises:
            TrackingError: the store refuses, or cannot be written.
        """
        head: dict[str, Any] = {"uri": self._store, "experiment": spec.experiment, "name": spec.name}
        try:
            with told(self.uri):
                head["run_id"] = self._open().begin(spec, handed)
        except TrackingError as error:
            if error.rule != AWAY or sqlite_file(self.uri):
                raise
            self._complain(error)
            spec = spec if spec.key else replace(spec, key=uuid.uuid4().hex)  # begun twice, it is still one run
            head |= {"run_id": uuid.uuid4().hex, "spec": {**vars(spec), "tags": dict(spec.tags)}}
            head |= {"handed": handed, "started": time.time()}
        self.recover(keep=head["run_id"], key=spec.key)
        spool = Spool.create(self._root, head)
        self._attach(spool)
        return spool

    def finished(self, spool: Spool) -> frozenset[str]:
        """Keys of the children of a run that are recorded whole, as far as the store says."""
        if spool.unknown:
            return frozenset()
        with told(self.uri):
            return frozenset(self.writer.finished(spool.run_id))

    def thin(self, run_id: str, keep: int) -> None:
        """Removes the models of a sweep's trials beyond the best."""
        with told(self.uri):
            self.writer.thin(run_id, keep)

    def recover(self, keep: str = "", key: str = "") -> int:
        """Takes up the spools of dead processes and ends their runs; run `keep`, or the one of `key`, goes on."""
        count = 0
        for spool in found(self._root):
            if spool.head["uri"] != self._store:
                spool.close(remove=False)
                continue
            spool.goes_on = spool.run_id == keep or bool(key and spool.key == key)
            if not spool.ended and not spool.goes_on:
                spool.append(End("KILLED", (spool.folder / "log.jsonl").stat().st_mtime))
            self._attach(spool)
            count += 1
        return count

    def elsewhere(self) -> set[str]:
        """Other stores that records of dead processes wait for."""
        uris = set()
        for spool in found(self._root):
            if spool.head["uri"] != self._store:
                uris.add(spool.head["uri"])
            spool.close(remove=False)
        return uris

    def put(self, spool: Spool, op: Op) -> None:
        """Journals an operation; it reaches the store in the background."""
        spool.append(op)
        with self._changed:
            self._changed.notify_all()

    def flush(self, spool: Spool | None = None) -> bool:
        """Waits until everything is recorded; False when the store makes no progress for `patience` seconds.

        A store that has been away for so long already, or never answered, is asked once more and not waited for.
        """
        with self._changed:
            self._hurry += 1
            asked = time.monotonic()
            self._changed.notify_all()
            try:
                while any(s.waiting for s in ([spool] if spool else self._spools)):
                    if self._hopeless(asked):
                        return False
                    self._changed.wait(0.5)
                self._settle()
            finally:
                self._hurry -= 1
        return True

    def _hopeless(self, asked: float) -> bool:
        """Whether to stop waiting; a store that is asked and has not said no yet gets twice the time."""
        now, dead = time.monotonic(), self._failing and not self._progress
        silent = now - max(self._progress, self._failing or asked)
        patience = self.patience if self._failing else 2 * self.patience
        return now - asked > min(_LAST_TRY, self.patience) and (bool(dead) or silent > patience)

    def end(self, spool: Spool, status: Status) -> bool:
        """Ends a run and waits; False, with a word to the user, when the store has not taken everything."""
        self.put(spool, End(status, time.time()))
        sent = self.flush(spool)
        with self._changed:
            if spool in self._spools:
                self._spools.remove(spool)
        spool.close(remove=sent)
        if not sent:
            _log.warning("Run '%s' is unsent (%s) and waits in .leaflab/spool: `leaflab sync` sends it later.",
                         spool.head["name"], self.trouble)  # fmt: skip
        return sent

    @property
    def trouble(self) -> str:
        """Why the store takes nothing: its name and what it does."""
        return f"{masked(self.uri)} {self._error.rule if self._error else 'is too slow'}"

    def _complain(self, error: TrackingError) -> None:
        """Says once that the store is away."""
        if not self._failing:
            _log.warning("%s What is logged meanwhile is kept in .leaflab/spool.", error)
            self._failing = time.monotonic()
        self._error = error

    def _attach(self, spool: Spool) -> None:
        with self._changed:
            self._spools.append(spool)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="leaflab-tracking", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while spool := self._next():
            try:
                with told(self.uri):
                    self._carry(spool, self.writer)
                if self._failing:
                    _log.info("%s answers again.", masked(self.uri))
                self._failing, self._error, pause = 0.0, None, _FIRST_PAUSE
            except TrackingError as error:
                self._complain(error)
                with self._changed:
                    self._changed.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _next(self) -> Spool | None:
        """The next spool with something to record; lingers a little so that trials travel together."""
        with self._changed:
            while self._spools:
                waiting = [s for s in self._spools if s.waiting]
                if not waiting:
                    self._settle()
                    self._changed.wait(1.0)
                    continue
                self._changed.wait_for(lambda: self._hurry > 0, _LINGER)
                return waiting[0]
            self._thread = None
            return None

    def _settle(self) -> None:
        """Lets go of recovered spools that are recorded whole."""
        for spool in [s for s in self._spools if s.recovered and not s.waiting]:
            self._spools.remove(spool)
            spool.close(remove=True)

    def _carry(self, spool: Spool, writer: Writer) -> None:
        """Records the next operations of a spool and acknowledges them."""
        if spool.unknown:
            spool.begun(writer.begin(*spool.unknown))
        for group in _groups(spool.read(_SERVER_GROUP if is_server(self.uri) else _GROUP)):
            try:
                self._apply(writer, spool, [op for op, _ in group])
            except Exception as error:
                if not _refused(error):
                    raise
                for op, _ in group:
                    self._alone(writer, spool, op)
            with self._changed:
                spool.ack(group[-1][1])
                self._progress = time.monotonic()
                self._changed.notify_all()

    def _apply(self, writer: Writer, spool: Spool, ops: list[Op]) -> None:
        children = [op for op in ops if isinstance(op, Child)]
        if children:
            writer.children(spool.run_id, children)
            return
        for op in ops:
            match op:
                case Batch():
                    writer.log(spool.run_id, op)
                case Register(name, tags):
                    MlflowRegistry(self.uri).challenge(name, spool.run_id, tags)
                case End(status, at) if not spool.goes_on:
                    writer.end(spool.run_id, status, at)

    def _alone(self, writer: Writer, spool: Spool, op: Op) -> None:
        """Records one operation, or sets it aside where the store will never have it."""
        try:
            self._apply(writer, spool, [op])
        except Exception as error:
            if not _refused(error):
                raise
            spool.refuse(op, str(error))
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            _log.warning("The store refuses a record of '%s' (%s); it is kept in .leaflab/spool/refused.",
                         spool.head["name"], reason)  # fmt: skip


def _groups(ops: Iterable[tuple[Op, int]]) -> Iterator[list[tuple[Op, int]]]:
    """Neighbouring children together, everything else alone."""
    for together, group in groupby(ops, key=lambda pair: isinstance(pair[0], Child)):
        pairs = list(group)
        yield from [pairs] if together else [[pair] for pair in pairs]


def _refused(error: Exception) -> bool:
    """Whether trying again is vain: the store said no to the record itself, and not to us or to the moment."""
    code = getattr(error, "error_code", None)
    if code is not None:
        return code in _NO
    own = type(error).__module__ == "builtins" and not isinstance(error, OSError)
    return own or type(error).__name__ == "IntegrityError"
