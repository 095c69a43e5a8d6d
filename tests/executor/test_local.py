from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leaflab.executor.base import Event
from leaflab.executor.local import Local

UNRULY = """
import os, signal, time

class Unruly:
    "Dies, sleeps, grows or answers with its process as it is told."

    def run(self, job, report):
        if job == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if job == "crash":
            os.abort()
        if job == "sleep":
            time.sleep(60)
        if job == "grow":
            hoard = bytearray(600_000_000)
            time.sleep(30)
            return len(hoard)
        return os.getpid()
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Workers import what they run, so the class lies in a file of its own."""
    (tmp_path / "unruly.py").write_text(UNRULY)
    monkeypatch.syspath_prepend(str(tmp_path))
    from unruly import Unruly

    return Unruly()


def one(pool, job, number=0):
    pool.submit(number, job)
    events = []
    while not events:
        events = pool.events(1.0, lambda number, report: "")
    return events[0]


@pytest.fixture
def pool(bench):
    with Local(workers=2).open(bench, 100) as pool:
        yield pool


@pytest.mark.parametrize(("job", "reason"), [("die", "SIGKILL"), ("crash", "SIGABRT")])
def test_a_worker_that_dies_fails_its_job_with_a_reason_and_is_replaced(pool, job, reason):
    event = one(pool, job, 5)
    assert (event.number, event.kind) == (5, "lost")
    assert reason in event.error
    assert one(pool, "answer").kind == "done"


def test_a_job_over_its_time_is_stopped(bench):
    with Local(workers=1, seconds_per_trial=0.6).open(bench, 100) as pool:
        event = one(pool, "sleep")
        assert event == Event(0, "stopped", error="it took longer than executor.seconds_per_trial=0.6")
        assert one(pool, "answer").kind == "done"


def test_a_job_over_its_memory_is_stopped(bench):
    with Local(workers=1, memory_gb=0.4).open(bench, 100) as pool:
        assert "executor.memory_gb=0.4" in one(pool, "grow").error


def test_no_worker_outlives_the_pool(bench):
    with Local(workers=2).open(bench, 100) as pool:
        pids = [one(pool, "answer").result]
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_workers_are_gone_when_the_driver_is_killed(tmp_path):
    code = (
        "import os, sys, time\nfrom leaflab.executor.local import Local\n"
        "from leaflab.executor.inline import Inline\n"
        "class B:\n    def run(self, job, report): return 1\n"
        "pool = Local(workers=1).open(Inline(), 10)\n"
        "print(pool._workers[0].process.pid, flush=True)\ntime.sleep(60)\n"
    )
    script = tmp_path / "driver.py"
    script.write_text(code)
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = int(driver.stdout.readline())
    driver.kill()
    driver.wait()
    driver.stdout.close()
    until = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from leaflab.executor.local import Local\nfrom leaflab.search.benches import Benches\n"
        "print('once')\npool = Local(workers=2).open(Benches({}), 10)\n"
        "pool.submit(0, 'job')\nprint(pool.events(30, lambda n, r: '')[0].kind)\npool.close()\n"
    )
    out = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["once", "failed"]


@pytest.mark.parametrize(
    ("asked", "rows", "layout"),
    [({"workers": 3, "threads": 2}, 10, (3, 2)), ({"workers": 1}, 10, None), ({}, 10_000_000, None)],
)
def test_workers_and_threads_share_the_cores(asked, rows, layout):
    workers, threads = Local(**asked).layout(rows)
    cores = len(os.sched_getaffinity(0))
    assert (workers, threads) == layout if layout else workers * threads <= max(cores, workers)
