"""Promotions that are killed, meet each other, or are tampered with."""

from __future__ import annotations

import json
import os
import signal
import traceback
from dataclasses import replace

import pytest

from leaflab.errors import CheckFailed, TrackingError
from leaflab.tracking import opening
from leaflab.tracking.registry import MlflowRegistry
from leaflab.workflow import ledger as module
from leaflab.workflow.ledger import opened
from leaflab.workflow.promote import promote


@pytest.fixture
def bench(bench, monkeypatch):
    """The lake's reader does not outlive a fork, so children are given the dataset; two quick gates judge."""
    monkeypatch.setattr("leaflab.workflow.evidence.load_dataset", lambda lake, wanted: bench.dataset)
    bench.lab = replace(bench.lab, gate={name: bench.lab.gate[name] for name in ("floor", "beats_champion")})
    return bench


def alias(bench, name="champion"):
    version = bench.lab.tracking.registry.version("toy", alias=name)
    return version.number if version else None


def entries(bench):
    with opened(bench.lab.tracking, "toy", bench.lab.folder) as book:
        return book.entries()


def in_child(work):
    """Runs work in a forked process with its own connections; returns its wait status."""
    pid = os.fork()
    if pid:
        return pid
    try:
        opening._clients.clear()
        done = work()
        os._exit(done.exit_code if done else 0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


class Deadly:
    """Kills this process at the n-th write of a promotion, before it or after it."""

    def __init__(self, number, after):
        self.left, self.after = number, after

    def __call__(self, write):
        def written(*args, **kwargs):
            self.left -= 1
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*args, **kwargs)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return written

    def arm(self, tracking):
        MlflowRegistry.point = self(MlflowRegistry.point)
        MlflowRegistry.tag = self(MlflowRegistry.tag)
        kind = type(tracking)
        start = kind.start

        def started(self_, spec):
            run = start(self_, spec)
            if spec.verb == "promote":
                type(run).log = self(type(run).log)
                type(run).end = self(type(run).end)
            return run

        kind.start = self(started)


@pytest.mark.slow
def test_a_promotion_killed_between_any_two_writes_is_finished_or_dropped_by_the_next_command(bench):
    bench.train(skill=0.2)
    promote(bench.lab)
    skill, before, finished = 0.3, 1, False
    killed = 0
    for step in range(1, 60):
        for after in (False, True):
            version = bench.train(skill=skill)
            skill += 0.15

            def work(step=step, after=after):
                Deadly(step, after).arm(bench.lab.tracking)
                promote(bench.asking(force=True, why="step by step"))

            _, status = os.waitpid(in_child(work), 0)
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
            killed += os.WIFSIGNALED(status)
            book = entries(bench)
            assert alias(bench) == book[-1].champion, f"write {step}, after={after}"
            assert book[-1].champion in (before, version.number)
            running = [r for r in bench.lab.tracking.search(tags={"leaflab.verb": "promote"}) if r.status == "RUNNING"]
            assert running == []
            promote(bench.asking(force=True, why="again"))
            assert alias(bench) == entries(bench)[-1].champion == version.number
            assert alias(bench, "challenger") is None
            before = version.number
            finished = finished or not os.WIFSIGNALED(status)
        if finished:
            break
    assert killed >= 16 and finished


def test_a_promotion_killed_while_the_alias_moves_is_finished_by_the_next_command(bench, monkeypatch):
    bench.train(skill=0.5)
    promote(bench.lab)
    bench.train(skill=1.0)

    def work():
        MlflowRegistry.point = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        promote(bench.lab)

    _, status = os.waitpid(in_child(work), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert alias(bench) == 1
    assert [e.champion for e in entries(bench)] == [1, 2]
    assert alias(bench) == 2 and alias(bench, "challenger") is None


@pytest.mark.slow
def test_eight_promotions_at_once_are_judged_one_after_the_other(bench):
    bench.train(skill=0.1)
    promote(bench.lab)
    versions = [bench.train(skill=0.3 + 0.1 * i, alias=None).number for i in range(8)]
    pids = [in_child(lambda n=n: promote(bench.asking(version=n))) for n in versions]
    codes = [os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in pids]
    assert set(codes) <= {0, 3}
    book = entries(bench)
    assert len(book) == 9 and alias(bench) == book[-1].champion
    assert sum(code == 0 for code in codes) == sum(e.outcome == "promoted" for e in book) - 1
    for entry, standing in zip(book[1:], book, strict=False):
        assert entry.record["previous"] == standing.champion  # each was judged against the champion of its moment


def test_the_same_challenger_promoted_twice_at_once_is_promoted_once(bench):
    bench.train(skill=0.6)
    pids = [in_child(lambda: promote(bench.lab)) for _ in range(2)]
    assert [os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert [e.outcome for e in entries(bench)] == ["promoted"]


def test_an_alias_moved_by_hand_stops_the_next_promotion(bench):
    bench.train(skill=0.5)
    promote(bench.lab)
    bench.train(skill=0.6)
    third = bench.train(skill=1.0)
    bench.lab.tracking.registry.point("toy", "champion", 2)
    with pytest.raises(
        CheckFailed, match="points to version 2, the ledger says version 1: `leaflab audit toy --revert`"
    ):
        promote(bench.lab)
    done = promote(bench.asking(force=True, why="we know"))
    assert alias(bench) == third.number and done.outcome in ("promoted", "forced")


def test_a_ledger_without_its_last_entry_or_with_a_changed_one_is_broken(bench):
    bench.train(skill=0.5)
    run = promote(bench.lab).run_id
    tracking = bench.lab.tracking
    head = tracking.registry.model_tags("toy")["leaflab.ledger"]
    tracking.registry.tag("toy", None, {"leaflab.ledger": head.replace("1:", "2:", 1)})
    with pytest.raises(TrackingError, match="entry 2 is missing"):
        entries(bench)
    tracking.registry.tag("toy", None, {"leaflab.ledger": head})
    path = tracking.artifact(run, module._FILE)
    plain = json.loads(path.read_text())
    path.write_text(json.dumps(plain | {"who": "nobody@nowhere"}))
    with pytest.raises(TrackingError, match="entry 1 was changed afterwards"):
        promote(replace(bench.lab))
