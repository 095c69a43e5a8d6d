"""Jobs on a Dask cluster: this machine's processes, or many machines behind a scheduler."""

from __future__ import annotations

import os
import time
import traceback
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ExtraError, SourceError
from leaflab.executor.base import Bench, Decide, Event, Executor, Pool
from leaflab.option import option

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Dask"]

_TICK = 0.05
_PATIENCE = "60s"


@option
class Dask(Executor):
    """Workers of a Dask cluster.

    The bench's files go to every machine once, when the pool is opened; a trial sends its parameters, and its reports
    come to the driver, which prunes. Where driver and workers share a file system nothing is copied at all. A job whose
    worker is lost is started again on another one by Dask.

    Args:
        address: of a scheduler (`tcp://host:8786`); null starts a cluster of processes on this machine.
        workers: processes of a local cluster; null: one a core.
        timeout: seconds to wait for the scheduler and its first worker.
    """

    address: str | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0

    def open(self, bench: Bench, rows: int) -> Pool:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise ExtraError("`executor=dask`", "dask") from None
        cluster = None
        if self.address is None:
            count = self.workers or len(os.sched_getaffinity(0))
            cluster = LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=40
            )
        try:
            client = Client(cluster or self.address, timeout=self.timeout, set_as_default=False)
            client.wait_for_workers(1, timeout=self.timeout)
        except (OSError, TimeoutError) as error:
            hint = "start one with `dask scheduler` and `dask worker`"
            raise SourceError(f"The Dask cluster {self.address}", "does not answer", hint=hint) from error
        return _DaskPool(client, cluster, bench)


class _DaskPool(Pool):
    def __init__(self, client: Client, cluster: Any, bench: Bench) -> None:
        from distributed import Queue

        self._client, self._cluster = client, cluster
        workers = client.scheduler_info(n_workers=-1)["workers"]
        self.size = len(workers)
        self.threads = max(1, min(w["nthreads"] for w in workers.values()))
        self._name = f"leaflab-{uuid.uuid4().hex[:12]}"
        self._reports = Queue(self._name, client=client)
        self._answers: dict[int, Any] = {}
        self._jobs: dict[int, Any] = {}
        self._bench = client.scatter((bench, _files(bench)), broadcast=True, hash=False)

    def submit(self, number: int, job: Any) -> None:
        from distributed import Queue

        key = f"{self._name}-{number}-{uuid.uuid4().hex[:6]}"
        self._answers[number] = Queue(key, client=self._client)
        self._jobs[number] = self._client.submit(_run, self._bench, number, job, (self._name, key), key=key, pure=False)

    def events(self, timeout: float, decide: Decide) -> list[Event]:
        until, ended = time.monotonic() + timeout, list[Event]()
        while self._jobs and not ended:
            ended = [self._ended(number) for number, future in list(self._jobs.items()) if future.done()]
            if ended or time.monotonic() >= until:
                break
            self._answer(decide)
        return ended

    def _answer(self, decide: Decide) -> None:
        """Waits a moment for one report; one of a job that has ended meanwhile needs no answer."""
        try:
            number, report = self._reports.get(timeout=_TICK)
        except TimeoutError:
            return
        if number in self._answers:
            self._answers[number].put(decide(number, report))

    def _ended(self, number: int) -> Event:
        future, _ = self._jobs.pop(number), self._answers.pop(number)
        if future.status != "finished":
            return Event(number, "lost", error=f"its worker was lost ({future.exception()!r})")
        kind, result, files = future.result()
        for path, content in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(content)
        return Event(number, "done", result) if kind == "done" else Event(number, "failed", error=result)

    def close(self) -> None:
        self._jobs.clear()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None


def _files(bench: Any) -> dict[str, bytes]:
    """The bench's data, for workers on other machines."""
    folder = getattr(bench, "folder", None)
    return {str(p): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()} if folder else {}


def _run(
    kept: tuple[Bench, Mapping[str, bytes]], number: int, job: Any, queues: tuple[str, str]
) -> tuple[str, Any, dict[str, bytes]]:
    """On a worker: lays out the bench's files where they are missing, does the job, and sends back what it wrote."""
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

    def report(news: Any) -> str:
        reports.put((number, news))
        return str(answers.get(timeout=_PATIENCE))

    try:
        result = bench.run(job, report)
    except Exception:
        return "failed", traceback.format_exc(), {}
    written = [*getattr(result, "models", ()), *getattr(result, "scores", ())] if apart else []
    return "done", result, {str(path): Path(path).read_bytes() for path in written}
