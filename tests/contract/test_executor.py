"""Every option of `conf/executor` keeps the contract of executors, with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaflab.door.compose import lab_for
from leaflab.executor.base import Event

OPTIONS = sorted(p.stem for p in (Path(__file__).parents[2] / "conf" / "executor").glob("*.yaml"))


SQUARES = """
class Squares:
    "A bench that squares, reports and fails as it is told."

    def run(self, job, report):
        if job == "fail":
            raise ValueError("told to fail")
        if job == "ask":
            return [report(step) for step in range(3)]
        return job * job
"""


SLOW = {"dask"}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OPTIONS])
def pool(request, home, monkeypatch):
    (home / "squares.py").write_text(SQUARES)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("PYTHONPATH", str(home))
    from squares import Squares

    executor = lab_for("sweep", [f"executor={request.param}", "name=x"]).executor
    with executor.open(Squares(), 100) as pool:
        yield pool


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_there_are_options_to_check():
    assert len(OPTIONS) >= 2


def collected(pool, jobs, decide=lambda number, report: ""):
    waiting, ended = list(enumerate(jobs)), []
    running = 0
    while waiting or running:
        while waiting and running < pool.size:
            pool.submit(*waiting.pop(0))
            running += 1
        events = pool.events(5.0, decide)
        ended += events
        running -= len(events)
    return sorted(ended, key=lambda event: event.number)


def test_every_job_ends_in_exactly_one_event(pool):
    assert collected(pool, list(range(7))) == [Event(i, "done", i * i) for i in range(7)]


def test_a_job_that_raises_fails_with_its_traceback_and_the_next_runs(pool):
    bad, good = collected(pool, ["fail", 3])
    assert (bad.kind, good.result) == ("failed", 9)
    assert "told to fail" in bad.error


def test_reports_are_answered(pool):
    (event,) = collected(pool, ["ask"], lambda number, report: "stop" if report == 1 else "")
    assert event.result == ["", "stop", ""]


def test_nothing_submitted_gives_nothing(pool):
    assert pool.events(0.05, lambda number, report: "") == []


def test_closing_twice_is_safe(pool):
    pool.close()
    pool.close()
