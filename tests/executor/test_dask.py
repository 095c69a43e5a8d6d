from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import warnings

import pytest

pytest.importorskip("distributed")

from leaflab.executor.dask import Dask, _run, local_cluster
from leaflab.executor.local import Local
from leaflab.search.base import Fit
from leaflab.search.validation import folds

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SLEEPY = """
import os, time

class Sleepy:
    folder = None

    def run(self, job, report):
        time.sleep(job)
        return os.getpid()
"""


@pytest.fixture
def sleepy(tmp_path, monkeypatch):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    from sleepy import Sleepy

    return Sleepy()


class Agreeing:
    """A queue that is never full and answers to go on."""

    def put(self, item):
        pass

    def get(self, timeout):
        return ""


def ended(pool, count, seconds=60):
    events, until = [], time.monotonic() + seconds
    while len(events) < count and time.monotonic() < until:
        events += pool.events(0.5, lambda number, report: "")
    return sorted(events, key=lambda event: event.number)


def test_a_job_whose_worker_is_killed_ends_on_another_one(sleepy):
    with Dask(workers=2).open(sleepy, 100) as pool:
        pool.submit(0, 0.0)
        (first,) = ended(pool, 1)
        pool.submit(1, 2.0)
        pool.submit(2, 2.0)
        time.sleep(0.5)
        os.kill(first.result, signal.SIGKILL)
        done = ended(pool, 2)
        assert [(event.number, event.kind) for event in done] == [(1, "done"), (2, "done")]


def test_a_result_that_is_lost_before_it_is_fetched_is_made_again(sleepy):
    """The client still believes that the job is finished when the scheduler no longer knows it."""
    with Dask(workers=1).open(sleepy, 100) as pool:
        pool.submit(0, 0.0)
        (future,) = pool._jobs.values()
        while not future.done():
            time.sleep(0.05)

        def forget(dask_scheduler, key, client):
            dask_scheduler.client_releases_keys(keys=[key], client=client)

        pool._client.run_on_scheduler(forget, key=future.key, client=pool._client.id)
        assert future.status == "finished"
        assert [event.kind for event in ended(pool, 1)] == ["done"]


def test_when_every_worker_is_killed_the_data_are_sent_again(sleepy):
    with Dask(workers=2).open(sleepy, 100) as pool:
        for number in range(2):
            pool.submit(number, 0.5)
        pids = {event.result for event in ended(pool, 2)}
        for number in range(2, 4):
            pool.submit(number, 3.0)
        time.sleep(0.5)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        done = ended(pool, 2, seconds=120)
        assert [(event.number, event.kind) for event in done] == [(2, "done"), (3, "done")]
        assert not {event.result for event in done} & pids


def test_a_cluster_of_this_machine_starts_beside_another_and_listens_on_loopback_only(sleepy):
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # taken by somebody else is as good
            taken.bind(("127.0.0.1", 8787))  # where Dask serves its pages unless told otherwise
            taken.listen()
        before = set(_listening())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Dask(workers=1).open(sleepy, 100):
                assert {host for host, _ in set(_listening()) - before} == {"127.0.0.1"}


def _listening():
    import psutil

    here = psutil.Process()
    found = [c for process in (here, *here.children(recursive=True)) for c in process.net_connections("inet")]
    return [tuple(c.laddr) for c in found if c.status == psutil.CONN_LISTEN]


def test_jobs_end_as_lost_when_no_worker_comes_back(sleepy):
    with local_cluster(1) as cluster:
        with Dask(address=cluster.scheduler_address, timeout=2).open(sleepy, 100) as pool:
            pool.submit(0, 60.0)
            time.sleep(1)
            cluster.scale(0)
            (event,) = ended(pool, 1)
        assert (event.number, event.kind, event.error) == (0, "lost", "every worker of the cluster was lost")


def test_a_scheduler_that_goes_away_is_told(sleepy):
    from leaflab.errors import SourceError

    cluster = local_cluster(1)
    pool = Dask(address=cluster.scheduler_address, timeout=5).open(sleepy, 100)
    pool.submit(0, 60.0)
    time.sleep(1)
    cluster.close()
    with pytest.raises(SourceError, match="the same command continues"):
        ended(pool, 1)
    pool.close()


def test_a_trial_is_the_same_as_on_this_machine(puzzle, tmp_path):
    from leaflab.model.lightgbm import LightGBM
    from leaflab.search.benches import Benches

    problem = puzzle()
    cut = folds(problem, "holdout", 3, 0)
    texts, told = [], []
    for name, executor in (("dask", Dask(workers=1)), ("local", Local(workers=1))):
        store = tmp_path / name / "store"
        bench = Benches({"": LightGBM(max_rounds=30).bench(problem, cut, store, "shared")}, store)
        with executor.open(bench, 200) as pool:
            pool.submit(0, Fit("", {"bagging_fraction": 0.7}, (0,), 5, tmp_path / name / "trial"))
            events = []
            while not events:
                events = pool.events(1.0, lambda number, report: told.append(report) or "")
        texts.append(events[0].result.models[0].read_text())
    assert texts[0] == texts[1]
    assert len(told) >= 4


def test_a_machine_without_the_files_gets_them_and_sends_its_own_back(puzzle, tmp_path, monkeypatch):
    """What a worker on another machine does, without one: the files are gone until the worker lays them out."""
    import shutil

    import distributed

    from leaflab.executor.dask import _files
    from leaflab.model.lightgbm import LightGBM

    bench = LightGBM(max_rounds=5).bench(puzzle(), folds(puzzle(), "holdout", 3, 0), tmp_path / "store", "shared")
    files = _files(bench)
    shutil.rmtree(tmp_path / "store")
    monkeypatch.setattr(distributed, "get_client", lambda: None)
    monkeypatch.setattr(distributed, "Queue", lambda name, client: Agreeing())
    kind, result, sent = _run((bench, files), 0, Fit("", {}, (0,), 1, tmp_path / "trial"), ("a", "b"))
    assert kind == "done"
    assert set(sent) == {str(path) for path in (*result.models, *result.scores)}


def test_a_cluster_that_does_not_answer_is_named(sleepy):
    from leaflab.errors import SourceError

    with pytest.raises(SourceError, match=r"tcp://127\.0\.0\.1:1"):
        Dask(address="tcp://127.0.0.1:1", timeout=1).open(sleepy, 10)
