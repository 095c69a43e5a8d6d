"""The one background writer of a process: carries what runs put into their spools to the store when it is there."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from leaflab.errors import TrackingError
from leaflab.tracking.address import is_server, masked, sqlite_file
from leaflab.tracking.base import RunSpec, Status
from leaflab.tracking.carrying import carried
from leaflab.tracking.opening import AWAY, FULL, make_ahead, making, told
from leaflab.tracking.spool import End, Op, Spool, found
from leaflab.tracking.writer import Writer

__all__ = ["Projector"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_GROUP, _SERVER_GROUP, _LINGER = 32, 8, 0.15
_FIRST_PAUSE, _LONGEST_PAUSE, _LAST_TRY = 0.5, 30.0, 3.0


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
        self._ahead = 0
        self._later: list[Spool] = []

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
        if self._error and self._error.rule == FULL:
            return _LAST_TRY
        return 30.0 if is_server(self.uri) else 60.0

    def begin(self, spec: RunSpec, handed: str = "") -> Spool:
        """Opens a run and its spool; takes up what processes that died have left.

        A server that is away, or a local store that is being made, holds nothing up: the run begins in its spool, and
        in the store when that is there.

        Raises:
            TrackingError: the store refuses, or cannot be written.
        """
        head: dict[str, Any] = {"uri": self._store, "experiment": spec.experiment, "name": spec.name}
        if not spec.key and (making(self.uri) or not sqlite_file(self.uri)):
            spec = replace(spec, key=uuid.uuid4().hex)  # begun twice, it is still one run
        head["run_id"] = self._begun(spec, handed)
        if not head["run_id"]:
            head |= {"run_id": uuid.uuid4().hex, "spec": {**vars(spec), "tags": dict(spec.tags)}}
            head |= {"handed": handed, "started": time.time()}
        self.recover(keep=head["run_id"], key=spec.key)
        spool = Spool.create(self._root, head)
        self._attach(spool)
        return spool

    def _begun(self, spec: RunSpec, handed: str) -> str:
        """The run's id in the store; empty while that is being made, or does not answer."""
        if making(self.uri):
            return ""
        try:
            return self._asked(lambda: self._open().begin(spec, handed))
        except TrackingError as error:
            if error.rule != AWAY or sqlite_file(self.uri):
                raise
            self._complain(error)
            return ""

    def finished(self, spool: Spool) -> frozenset[str]:
        """Keys of the children of a run that are recorded whole, as far as the store says."""
        if spool.unknown:
            return frozenset()
        return frozenset(self._asked(lambda: self.writer.finished(spool.run_id)))

    def thin(self, run_id: str, keep: int) -> None:
        """Removes the models of a sweep's trials beyond the best."""
        self._asked(lambda: self.writer.thin(run_id, keep))

    def _asked(self, call: Callable[[], _T]) -> _T:
        """Asks the store for what may be asked twice; once more where it does not answer at first."""
        try:
            with told(self.uri):
                return call()
        except TrackingError as error:
            if error.rule != AWAY:
                raise
        time.sleep(_FIRST_PAUSE)
        with told(self.uri):
            return call()

    def recover(self, keep: str = "", key: str = "", instead_of: str = "") -> int:
        """Takes up the spools of dead processes and ends their runs; run `keep`, or the one of `key`, goes on.

        Runs that wait for the store `instead_of`, and have not begun there, are taken up as well.
        """
        count = 0
        for spool in found(self._root):
            redirected = spool.unknown and spool.head["uri"] == masked(instead_of)
            if spool.head["uri"] != self._store and not redirected:
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

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Makes a store that is not there beside the work in here; leaving waits for the runs that ended in it."""
        make_ahead(self.uri)
        self._ahead += 1
        try:
            yield
        finally:
            self._ahead -= 1
            while self._later:
                self._let_go(self._later.pop(0))

    def end(self, spool: Spool, status: Status) -> bool:
        """Ends a run and waits for the store; whether that has taken everything."""
        self.put(spool, End(status, time.time()))
        if self._ahead and making(self.uri):
            self._later.append(spool)
            return False
        return self._let_go(spool)

    def _let_go(self, spool: Spool) -> bool:
        """Waits for the store; False, with a word to the user, when it has not taken everything."""
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
        pause, stumbled = _FIRST_PAUSE, False
        while spool := self._next():
            try:
                with told(self.uri):
                    for position in carried(spool, self.writer, _SERVER_GROUP if is_server(self.uri) else _GROUP):
                        self._acknowledge(spool, position)
                if self._failing:
                    _log.info("%s answers again.", masked(self.uri))
                self._failing, self._error, pause, stumbled = 0.0, None, _FIRST_PAUSE, False
            except TrackingError as error:
                if stumbled or error.rule != AWAY:
                    self._complain(error)
                stumbled = True
                with self._changed:
                    self._changed.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _acknowledge(self, spool: Spool, position: int) -> None:
        with self._changed:
            spool.ack(position)
            self._progress = time.monotonic()
            self._changed.notify_all()

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
