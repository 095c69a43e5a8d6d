"""Jobs in processes of this machine, one a core, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.executor.base import Bench, Decide, Event, Executor, Pool, not_wide
from leaflab.executor.worker import work
from leaflab.option import option

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess

__all__ = ["Local"]

_WIDE = 2_000_000
_PRELOAD = ["numpy", "lightgbm", "leaflab.executor.worker"]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@option
class Local(Executor):
    """Worker processes on this machine.

    One thread a worker is the fastest use of cores as long as a trial fits into one: two OpenMP threads beside any
    other busy process spin and lose more than half their speed. Beyond 2 million rows memory decides, and workers
    become fewer and wider. Processes come from a fork server that never trains, because a fork after OpenMP has started
    threads can hang.

    Args:
        workers: processes; "auto" takes one a core, fewer for large data.
        threads: LightGBM threads a worker; "auto" shares the cores out.
        seconds_per_trial: a trial that takes longer is stopped and fails; null for no limit.
        memory_gb: a worker that grows larger is stopped, its trial fails; null for no limit.
    """

    workers: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    seconds_per_trial: Annotated[float, Field(gt=0)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None

    def warm(self) -> None:
        from multiprocessing import forkserver

        _context()
        with _no_main(), _one_thread():
            forkserver.ensure_running()

    def layout(self, rows: int) -> tuple[int, int]:
        """Workers and threads a worker for this many rows."""
        cores = _cores()
        workers = self.workers if self.workers != "auto" else max(1, cores // 4) if rows > _WIDE else cores
        threads = self.threads if self.threads != "auto" else max(1, cores // workers)
        return workers, threads

    def open(self, bench: Bench, rows: int) -> Pool:
        not_wide(bench)
        self.warm()
        return _LocalPool(bench, *self.layout(rows), self)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


@contextmanager
def _no_main() -> Iterator[None]:
    """Hides the caller's script from multiprocessing, which would run it again in every worker."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _one_thread() -> Iterator[None]:
    """What is started inside gets one thread for numpy's algebra; LightGBM is told its threads with each fit."""
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    os.environ |= dict.fromkeys(before, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class _Worker:
    """One process, its end of the pipe, and what it is doing."""

    process: BaseProcess
    pipe: Connection
    job: int | None = None
    since: float = 0.0


class _LocalPool(Pool):
    def __init__(self, bench: Bench, size: int, threads: int, limits: Local) -> None:
        self.size, self.threads = size, threads
        self._bench, self._limits = bench, limits
        self._workers: list[_Worker] = [self._hired() for _ in range(size)]

    def submit(self, number: int, job: Any) -> None:
        for place, worker in enumerate(self._workers):
            if worker.job is None:
                at_work = self._sent(place, worker, job)
                at_work.job, at_work.since = number, time.monotonic()
                return
        raise ValueError("every worker is busy")

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        until, ended = time.monotonic() + timeout, list[Event]()
        while not ended and any(w.job is not None for w in self._workers):
            busy: list[Any] = [w.pipe for w in self._workers if w.job is not None]
            left = until - time.monotonic()
            ready = wait(busy, max(0.0, min(left, 0.5)))
            for place, worker in enumerate(self._workers):
                if worker.pipe in ready:
                    ended += self._heard(place, worker, decide)
                elif worker.job is not None and (why := self._overstepped(worker)):
                    ended.append(self._replaced(place, worker, "stopped", why))
            if left <= 0:
                break
        return ended

    def close(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
            worker.process.close()
        self._workers = []

    def _hired(self) -> _Worker:
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self._bench, self.threads), daemon=True)
        with _no_main():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _sent(self, place: int, worker: _Worker, job: Any) -> _Worker:
        try:
            worker.pipe.send(job)
        except OSError:
            worker = self._renewed(place, worker)
            worker.pipe.send(job)
        return worker

    def _heard(self, place: int, worker: _Worker, decide: Decide) -> list[Event]:
        assert worker.job is not None
        try:
            kind, content = worker.pipe.recv()
            if kind == "report":
                worker.pipe.send(decide(worker.job, content))
                return []
        except (EOFError, OSError):
            worker.process.join()
            why = f"its worker process died ({_reason(worker.process.exitcode)})"
            return [self._replaced(place, worker, "lost", why)]
        number, worker.job = worker.job, None
        if kind == "done":
            return [Event(number, "done", content)]
        return [Event(number, "failed", error=content)]

    def _overstepped(self, worker: _Worker) -> str:
        """Why a worker must be stopped, or ""."""
        seconds, memory = self._limits.seconds_per_trial, self._limits.memory_gb
        if seconds and time.monotonic() - worker.since > seconds:
            return f"it took longer than executor.seconds_per_trial={seconds:g}"
        if memory and _resident(worker.process.pid) > memory * 1e9:
            return f"its worker grew beyond executor.memory_gb={memory:g}"
        return ""

    def _replaced(self, place: int, worker: _Worker, kind: Literal["stopped", "lost"], why: str) -> Event:
        number = worker.job
        assert number is not None
        self._renewed(place, worker)
        return Event(number, kind, error=why)

    def _renewed(self, place: int, worker: _Worker) -> _Worker:
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers[place] = self._hired()
        return self._workers[place]


def _reason(code: int | None) -> str:
    import signal

    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}, out of memory or killed" if name == "SIGKILL" else name
    return f"exit code {code}"


def _resident(pid: int | None) -> float:
    """Resident bytes of a process; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123 - a pseudo-file
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0.0
