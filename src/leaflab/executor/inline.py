"""Jobs in the driver's own process, one after the other."""

from __future__ import annotations

import traceback
from typing import Any

from leaflab.executor.base import Bench, Decide, Event, Executor, Pool, not_wide
from leaflab.option import option

__all__ = ["Inline", "InlinePool"]


@option
class Inline(Executor):
    """No other process: for debugging and tiny data. A job that crashes the process takes the sweep along."""

    def open(self, bench: Bench, rows: int) -> Pool:
        not_wide(bench)
        return InlinePool(bench)


class InlinePool(Pool):
    """Does a job when asked for its end."""

    size = 1
    threads = 1

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._jobs: list[tuple[int, Any]] = []

    def submit(self, number: int, job: Any) -> None:
        self._jobs.append((number, job))

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        if not self._jobs:
            return []
        number, job = self._jobs.pop(0)
        try:
            return [Event(number, "done", self._bench.run(job, lambda report: decide(number, report)))]
        except Exception:
            return [Event(number, "failed", error=traceback.format_exc())]

    def close(self) -> None:
        self._jobs.clear()
