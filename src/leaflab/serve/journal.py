"""The inference log: what was asked and answered, written to the lake in micro-batches beside the request path."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import Lake
    from leaflab.serve.live import Answer

__all__ = ["Entry", "Journal", "Keeping"]

_ATTEMPTS = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered request: the model's alias, the request's id, when it came (epoch seconds) and how long it took."""

    answer: Answer
    alias: str
    request_id: str
    time: float
    milliseconds: float


@dataclass(frozen=True)
class Keeping:
    """How much of the answers is kept.

    Args:
        seconds: between two writes.
        limit: rows that may wait; a row beyond is counted as dropped.
        share: share of requests kept.
        spool: folder for what could not be written when the server stopped; the next server writes it.
    """

    seconds: float = 2.0
    limit: int = 100_000
    share: float = 1.0
    spool: Path | None = None


class Journal:
    """Appends answers to one lake table from a thread of its own.

    Args:
        lake: where the table lies.
        table: its name.
        frame: turns entries of one model into an Arrow table.
        keeping: how much is kept, and how long it may wait.
    """

    def __init__(
        self,
        lake: Lake,
        table: str,
        frame: Callable[[list[Entry]], pa.Table],
        keeping: Keeping | None = None,
    ) -> None:
        self._lake, self._table, self._frame = lake, table, frame
        kept = keeping or Keeping()
        self._seconds, self._limit, self._share, self._spool = kept.seconds, kept.limit, kept.share, kept.spool
        self._waiting: deque[Entry] = deque()
        self._rows = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="leaflab-journal", daemon=True)
        self.written = self.dropped = 0
        self.trouble = ""

    def start(self) -> None:
        """Begins to write; what that takes is loaded first, so that no answer waits for it."""
        import pyarrow.parquet  # noqa: F401

        with suppress(Exception):  # a lake out of reach is told of when there is something to write
            self._lake.versions(self._table)
        self._thread.start()

    def keeps(self) -> bool:
        """Whether the next request falls into the kept share; a request is kept whole, its shadow included."""
        return self._share >= 1.0 or random.random() < self._share

    def add(self, entry: Entry) -> None:
        """Takes one answer; never waits."""
        rows = entry.answer.typed.rows
        with self._lock:
            if self._rows + rows > self._limit:
                self.dropped += rows
                return
            self._waiting.append(entry)
            self._rows += rows

    @property
    def waiting(self) -> int:
        """Rows not written yet."""
        return self._rows

    def close(self) -> None:
        """Writes all that waits, and ends."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for attempt in range(_ATTEMPTS):
            if self.flush():
                return
            time.sleep(0.2 * (attempt + 1))
        self._set_aside()

    def _set_aside(self) -> None:
        """Leaves what the lake did not take where the next server finds it."""
        if self._spool is None:
            _log.error("%d rows of the inference log are lost: %s", self._rows, self.trouble)
            return
        import pyarrow as pa

        self._spool.mkdir(parents=True, exist_ok=True)
        for place, entries in enumerate(_grouped(self._waiting)):
            table = self._frame(entries)
            path = self._spool / f"{time.time_ns()}-{os.getpid()}-{place}.arrow"
            with pa.ipc.new_file(path.with_suffix(".partial"), table.schema) as writer:
                writer.write_table(table)
            path.with_suffix(".partial").replace(path)
        _log.warning("%d rows of the inference log wait in %s for the next server.", self._rows, self._spool)

    def _take_up(self) -> None:
        """Writes what an earlier server had to set aside; a file is claimed by one worker."""
        import pyarrow as pa

        for path in sorted(self._spool.glob("*.arrow")) if self._spool else ():
            ours = path.with_suffix(f".{os.getpid()}")
            try:
                path.rename(ours)
            except FileNotFoundError:
                continue
            try:
                with pa.OSFile(str(ours)) as source:
                    table = pa.ipc.open_file(source).read_all()
                self._lake.write(self._table, table, mode="append", new_columns="add")
            except Exception as error:
                ours.rename(path)
                self.trouble = f"The inference log cannot be written ({_short(error)})."
                return
            ours.unlink()
            self.written += table.num_rows

    def _work(self) -> None:
        self._take_up()
        while not self._stop.wait(self._seconds):
            self.flush()

    def flush(self) -> bool:
        """Writes what waits now; what cannot be written waits on. Returns whether all was written."""
        with self._lock:
            taken, self._waiting = self._waiting, deque()
        trouble = ""
        for entries in _grouped(taken):
            rows = sum(entry.answer.typed.rows for entry in entries)
            try:
                table = self._frame(entries)
            except Exception:
                _log.exception("%d rows cannot be recorded", rows)
                with self._lock:
                    self._rows, self.dropped = self._rows - rows, self.dropped + rows
                continue
            try:
                self._lake.write(self._table, table, mode="append", new_columns="add")
            except Exception as error:
                trouble = f"The inference log cannot be written ({_short(error)})."
                with self._lock:
                    self._waiting.extendleft(reversed(entries))
                continue
            with self._lock:
                self._rows -= rows
                self.written += rows
        if trouble and trouble != self.trouble:
            _log.warning("%s", trouble)
        self.trouble = trouble
        return not trouble


def _grouped(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Entries of one alias and version together, in their order."""
    groups: dict[tuple[str, int], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.alias, entry.answer.live.version.number), []).append(entry)
    return list(groups.values())


def _short(error: Any) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
