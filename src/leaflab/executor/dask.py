"""Jobs on a Dask cluster: this machine's processes, or many machines behind a scheduler."""

from __future__ import annotations

import logging
import os
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ExtraError, SourceError
from leaflab.executor.base import Bench, Decide, Event, Executor, Pool
from leaflab.executor.inline import InlinePool
from leaflab.option import option

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

__all__ = ["Dask", "local_cluster"]

_TICK = 0.05
_PATIENCE = "60s"
_TRIES = 5
_PAUSE = 1.0
_ALL_LOST = "every worker of the cluster was lost"

_log = logging.getLogger(__name__)


@option
class Dask(Executor):
    """Workers of a Dask cluster.

    The bench's files go to every machine once, when the pool is opened; a trial sends its parameters, and its reports
    come to the driver, which prunes. Where driver and workers share a file system nothing is copied at all. A job whose
    worker is lost is started again on another one by Dask. A bench that is `wide` (`model=lightgbm_dask`) runs one job
    at a time beside the driver and spreads each over the whole cluster itself.

    Args:
        address: of a scheduler (`tcp://host:8786`); null starts a cluster of processes on this machine.
        workers: processes of a local cluster; null: one a core.
        timeout: seconds to wait for the scheduler and its first worker, and for a worker when all are lost.
    """

    address: str | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0

    def open(self, bench: Bench, rows: int) -> Pool:
        try:
            from distributed import Client
        except ImportError:
            raise ExtraError("`executor=dask`", "dask") from None
        cluster = None
        if self.address is None:
            cluster = local_cluster(self.workers or len(os.sched_getaffinity(0)))
        try:
            client = Client(cluster or self.address, timeout=self.timeout, set_as_default=False)
            client.wait_for_workers(1, timeout=self.timeout)
        except (OSError, TimeoutError, ValueError) as error:
            hint = "start one with `dask scheduler` and `dask worker`"
            raise SourceError(f"The Dask cluster {self.address}", "does not answer", hint=hint) from error
        kind = _WholePool if getattr(bench, "wide", False) else _DaskPool
        return kind(client, cluster, bench, self.timeout)


def local_cluster(workers: int) -> LocalCluster:
    """One-thread processes of this machine; it serves no pages, and what it listens on is loopback, at a free port."""
    from distributed import LocalCluster

    quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50,
        scheduler_kwargs=quiet,
    )  # fmt: skip


class _WholePool(InlinePool):
    """One job at a time, beside the driver; it finds the cluster as the current client."""

    def __init__(self, client: Client, cluster: Any, bench: Bench, timeout: float) -> None:
        super().__init__(bench)
        self._client, self._cluster = client, cluster

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        with self._client.as_current():
            return super().events(timeout, decide)

    def close(self) -> None:
        super().close()
        _closed(self._client, self._cluster)


class _DaskPool(Pool):
    def __init__(self, client: Client, cluster: Any, bench: Bench, timeout: float) -> None:
        from distributed import Queue

        self._client, self._cluster, self._timeout = client, cluster, timeout
        self.threads = max(1, min(self._workers.values()))
        self._name = f"leaflab-{uuid.uuid4().hex[:12]}"
        self._reports = Queue(self._name, client=client)
        self._answers: dict[int, Any] = {}
        self._jobs: dict[int, Any] = {}
        self._given: dict[int, tuple[Any, int]] = {}
        self._alone = float("inf")
        self._content = (bench, _files(bench))
        self._scatter()

    @property
    def _workers(self) -> Mapping[str, int]:
        """Address to threads (`scheduler_info` is overwritten in the background by one that knows no workers)."""
        found: Mapping[str, int] = self._client.nthreads()
        return found

    @property
    def size(self) -> int:  # type: ignore[override]
        """As many as there are now: workers come and go."""
        return max(1, len(self._workers))

    def _scatter(self) -> None:
        (self._bench,) = self._client.scatter([self._content], broadcast=True, hash=False, timeout=self._timeout)

    def submit(self, number: int, job: Any) -> None:
        self._send(number, job, 1)

    def _send(self, number: int, job: Any, attempt: int) -> None:
        from distributed import Queue

        key = f"{self._name}-{number}-{uuid.uuid4().hex[:6]}"
        self._given[number] = (job, attempt)
        self._answers[number] = Queue(key, client=self._client)
        left = None if getattr(job, "deadline", None) is None else time.time() + job.deadline - time.monotonic()
        task = (self._bench, number, job, (self._name, key), left)
        self._jobs[number] = self._client.submit(_run, *task, key=key, pure=False)

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        from distributed.comm import CommClosedError

        until, ended = time.monotonic() + timeout, list[Event]()
        try:
            while self._jobs and not ended:
                done = [number for number, future in list(self._jobs.items()) if future.done()]
                ended = [event for number in done if (event := self._ended(number))] or self._abandoned()
                if ended or time.monotonic() >= until:
                    break
                self._answer(decide)
        except (CommClosedError, OSError) as error:
            raise self._gone() from error
        return ended

    def _gone(self) -> SourceError:
        hint = "the same command continues the sweep when it is back"
        return SourceError(f"The Dask scheduler {self._client.scheduler.address}", "is gone", hint=hint)

    def _answer(self, decide: Decide) -> None:
        """Waits a moment for one report; one of a job that has ended meanwhile needs no answer."""
        try:
            number, report = self._reports.get(timeout=_TICK)
        except TimeoutError:
            return
        if number in self._answers:
            self._answers[number].put(decide(number, report))

    def _ended(self, number: int) -> Event | None:
        """How a job ended; None where it is sent again, because what was lost was the bench and not its worker."""
        future, (job, attempt) = self._jobs.pop(number), self._given.pop(number)
        self._answers.pop(number).close()
        if (found := _fetched(future)) is not None:
            kind, result, files = found
            for path, content in files.items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_bytes(content)
            return Event(number, "done", result) if kind == "done" else Event(number, "failed", error=result)
        if self._client.status != "running":
            raise self._gone()
        if self._bench.status != "finished" and attempt < _TRIES:
            _log.info("Every worker that held the data was lost; they are sent again.")
            try:
                self._scatter()
            except Exception:  # a worker that dies while it is sent something shows as whatever the scheduler met
                if attempt + 1 == _TRIES:
                    return Event(number, "lost", error=_ALL_LOST)
                time.sleep(_PAUSE)
        elif future.status == "error" or attempt >= _TRIES:
            why = repr(future.exception()) if future.status == "error" else future.status
            return Event(number, "lost", error=f"its worker was lost ({why})")
        self._send(number, job, attempt + 1)
        return None

    def _abandoned(self) -> list[Event]:
        """Ends every job when no worker has been there for too long; a cluster of this machine starts new ones."""
        if self._workers:
            self._alone = float("inf")
            return []
        self._alone = min(self._alone, time.monotonic())
        if time.monotonic() - self._alone < self._timeout:
            return []
        numbers = list(self._jobs)
        for kept in (self._jobs, self._given, self._answers):
            kept.clear()
        return [Event(number, "lost", error=_ALL_LOST) for number in numbers]

    def close(self) -> None:
        self._jobs.clear()
        _closed(self._client, self._cluster)
        self._cluster = None


def _closed(client: Client, cluster: Any) -> None:
    client.close()
    if cluster is not None:
        cluster.close()


def _files(bench: Any) -> dict[str, bytes]:
    """The bench's data, for workers on other machines."""
    folder = getattr(bench, "folder", None)
    return {str(p): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()} if folder else {}


def _fetched(future: Future) -> tuple[str, Any, dict[str, bytes]] | None:
    """What a job left; None where it failed, or what it left was lost with its worker before it came here."""
    from distributed import CancelledError

    if future.status != "finished":
        return None
    try:
        found: tuple[str, Any, dict[str, bytes]] = future.result()
    except CancelledError:
        return None
    return found


def _run(
    kept: tuple[Bench, Mapping[str, bytes]],
    number: int,
    job: Any,
    queues: tuple[str, str],
    deadline: float | None = None,
) -> tuple[str, Any, dict[str, bytes]]:
    """On a worker: lays out the bench's files where they are missing, does the job, and sends back what it wrote.

    Monotonic clocks differ between machines, so the deadline comes as seconds since the epoch.
    """
    from distributed import Queue, get_client

    bench, files = kept
    apart = any(not Path(path).exists() for path in files)
    for path, content in files.items() if apart else ():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        part = Path(f"{path}.{os.getpid()}.part")
        part.write_bytes(content)
        part.rename(path)
    client = get_client()
    reports, answers = Queue(queues[0], client=client), Queue(queues[1], client=client)
    if deadline is not None:
        job = replace(job, deadline=time.monotonic() + deadline - time.time())

    def report(news: Any) -> str:
        reports.put((number, news))
        return str(answers.get(timeout=_PATIENCE))

    try:
        result = bench.run(job, report)
    except Exception:
        return "failed", traceback.format_exc(), {}
    written = [*getattr(result, "models", ()), *getattr(result, "scores", ())] if apart else []
    return "done", result, {str(path): Path(path).read_bytes() for path in written}
