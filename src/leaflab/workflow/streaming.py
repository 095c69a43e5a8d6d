"""Collecting a source without an end: from its spool to the lake, every few seconds, each message once."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.lake.growing import Growing
from leaflab.source.feed import Drawn, Feed
from leaflab.source.spool import Spool
from leaflab.workflow.collecting import alone, last_mark, lineage, raw_of, record, set_aside

if TYPE_CHECKING:
    from leaflab.source.base import Stream
    from leaflab.values import Raw
    from leaflab.workflow.lab import Lab

__all__ = ["collect_stream"]

_log = logging.getLogger(__name__)
_KNOWN_ROWS = 1_000_000


@dataclass
class _Tally:
    """What this collect saw, what of it no version tells of yet, and the digest of the table as it grows."""

    messages: int = 0
    rows: int = 0
    bad: int = 0
    late: int = 0
    repeated: int = 0
    since: Counter[str] = field(default_factory=Counter)
    digest: Growing = field(default_factory=Growing)

    def add(self, drawn: Drawn, seconds: float) -> None:
        self.messages += drawn.messages
        self.rows += drawn.rows.num_rows if drawn.rows is not None else 0
        self.bad, self.late = self.bad + len(drawn.bad), self.late + drawn.late
        self.repeated += drawn.repeated
        rate = drawn.messages / max(seconds, 1e-3)
        _log.info("  %s messages, %.0f a second%s", f"{self.messages:,}", rate, self._asides())

    def _asides(self) -> str:
        found = {"late": self.late, "repeated": self.repeated, "in quarantine": self.bad}
        return "".join(f", {count:,} {what}" for what, count in found.items() if count)


def collect_stream(lab: Lab, source: Stream) -> Raw:
    """Collects until `collect.seconds` are over, or until it is stopped (Ctrl-C, SIGTERM): both end well.

    Raises:
        SourceError: the sender cannot be reached, or nothing came.
        LakeError: the lake cannot be written; what was acknowledged is in the spool and goes in next time.
    """
    started, table, tally = time.time(), f"raw/{lab.dataset.name}", _Tally()
    with alone(lab), _stopping() as stopped:
        spool = Spool(lab.folder / "spool" / str(lab.dataset.name))
        try:
            feed = _feed(lab, source, spool, table)
            with source.listening(spool, str(lab.dataset.name)) as failed:
                _follow(lab, lambda: _flush(lab, source, feed, tally), lambda: stopped.is_set() or failed.is_set())
            while _flush(lab, source, feed, tally):
                pass
        finally:
            spool.close()
    written = lab.lake.current(table)
    if written is None:
        raise SourceError(source.uri, "sent nothing that is a row", hint="look at its topics and source.mapping")
    raw = raw_of(lab, written, tally.bad)
    if lab.verb == "collect":
        facts = {
            "rows/out": tally.rows,
            "rows/late": tally.late,
            "rows/repeated": tally.repeated,
            "messages": tally.messages,
        }
        record(lab, raw, written.meta.get("schema", {}), time.time() - started, facts)
    return raw


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM sets the event, so that what is being written is finished; the second breaks off."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: Any) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(lab: Lab, flush: Callable[[], bool], ended: Callable[[], bool]) -> None:
    """Flushes every few seconds until the time is over; at once again where a flush was full."""
    end = time.monotonic() + (lab.collect.seconds or float("inf"))
    while not ended() and time.monotonic() < end:
        due = time.monotonic() + lab.collect.flush_seconds
        while not ended() and time.monotonic() < min(due, end):
            time.sleep(0.05)
        while flush() and not ended() and time.monotonic() < end:
            pass


def _feed(lab: Lab, source: Stream, spool: Spool, table: str) -> Feed:
    """The feed that reads on from where the table stands."""
    grow = lab.collect.on_new_columns == "add" or (lab.collect.on_new_columns == "auto" and source.payload.is_open)
    mark, now = last_mark(lab, table) or {}, lab.lake.current(table)
    if now is None:
        return Feed(spool, source.payload, mark, {}, (), grow=grow)
    stream = lab.lake.stream(table)
    columns = dict(zip(stream.schema.names, stream.schema.types, strict=True))
    key = [name for name in (*source.payload.device, source.payload.time) if name in columns]
    known = lab.lake.read(table, columns=key)
    tail = known.slice(max(0, known.num_rows - _KNOWN_ROWS))
    rows = zip(*(tail.column(name).to_pylist() for name in key), strict=True)
    return Feed(spool, source.payload, mark, columns, rows, grow=grow)


def _flush(lab: Lab, source: Stream, feed: Feed, tally: _Tally) -> bool:
    """Commits what the spool holds; whether there may be more."""
    started = time.monotonic()
    drawn = feed.draw(lab.collect.flush_rows)
    if not drawn.messages:
        return False
    name = str(lab.dataset.name)
    aside = last_mark(lab, f"quarantine/{name}") or {} if drawn.bad else {}
    fresh = [bad for bad in drawn.bad if bad.line > aside.get("messages", 0)]
    if fresh:
        set_aside(lab, fresh, source.uri, {"mark": drawn.mark})
    since = tally.since
    since.update(messages=drawn.messages, bad=len(drawn.bad), repeated=drawn.repeated)
    if drawn.rows is not None:
        units = source.payload.units
        more = {"mark": drawn.mark, **({"units": units} if units else {})}
        more |= {"rows in": since["messages"], "repeated": since["repeated"]}
        meta = lineage(source.uri, drawn.rows.schema, drawn.rows.num_rows, since["bad"], **more)
        lake = lab.lake.divided(lab.collect.parts)
        lake.write(f"raw/{name}", drawn.rows, mode="append", digest=tally.digest, meta=meta, new_columns="add")
        since.clear()
        feed.done()
    tally.add(drawn, max(time.monotonic() - started, lab.collect.flush_seconds))
    return drawn.messages >= lab.collect.flush_rows
