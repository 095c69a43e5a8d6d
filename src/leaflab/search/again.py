"""A second try for jobs whose worker was killed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.executor.base import Decide, Event, Pool

__all__ = ["Again"]

_log = logging.getLogger(__name__)


class Again:
    """A pool at which a job whose worker was lost is done once more, under its own number.

    What ends a worker from outside is no property of the job; if the second worker dies too, it probably is. A job that
    was stopped for its time or memory is not tried again.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._first: dict[int, Any] = {}

    @property
    def size(self) -> int:
        return self._pool.size

    @property
    def threads(self) -> int:
        return self._pool.threads

    def submit(self, number: int, job: Any) -> None:
        self._first[number] = job
        self._pool.submit(number, job)

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        ended = []
        for event in self._pool.events(timeout, decide):
            job = self._first.pop(event.number, None)
            if event.kind == "lost" and job is not None:
                _log.info("Job %d is done again: %s", event.number, event.error)
                self._pool.submit(event.number, job)
            else:
                ended.append(event)
        return ended
