"""An executor runs jobs on a bench, in this process, in others, or on other machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from leaflab.errors import ConfigError
from leaflab.executor.event import Event

__all__ = ["Bench", "Decide", "Event", "Executor", "Pool", "not_wide"]


class Bench(Protocol):
    """Where jobs are done: pickled once to every worker, and small, because data lie in files."""

    def run(self, job: Any, report: Callable[[Any], str]) -> Any:
        """Does one job; `report` tells how it goes and returns "" to go on, else how to end."""
        ...


Decide = Callable[[int, Any], str]
"""(job number, report) → "" to go on, else how to end."""


class Pool(AbstractContextManager["Pool"], ABC):
    """`size` workers at one bench, with `threads` each. As a context it stops them all at the end."""

    size: int
    threads: int

    @abstractmethod
    def submit(self, number: int, job: Any) -> None:
        """Hands over a job; at most `size` may be unfinished."""

    @abstractmethod
    def events(self, timeout: float, decide: Decide) -> list[Event]:
        """Waits up to `timeout` seconds for jobs to end; reports are answered by `decide` meanwhile.

        A job that was submitted ends in exactly one event, whatever happens to its worker.
        """

    @abstractmethod
    def close(self) -> None:
        """Stops every worker at once; safe to call twice."""

    def __exit__(self, *error: object) -> None:
        self.close()


class Executor(ABC):
    """Contract: results do not depend on the executor; constructing one starts nothing."""

    def warm(self) -> None:  # noqa: B027 - most executors have nothing to start early
        """Starts what takes long and needs no data, in the background."""

    @abstractmethod
    def open(self, bench: Bench, rows: int) -> Pool:
        """Workers at a bench; `rows` of the data tells how many and how wide."""


def not_wide(bench: Bench) -> None:
    """Refuses a bench that spreads its jobs over a cluster."""
    if getattr(bench, "wide", False):
        hint = "add executor=dask, with executor.address=tcp://host:8786 for one of several machines"
        raise ConfigError("`model=lightgbm_dask`", "trains on a Dask cluster", hint=hint)
