from __future__ import annotations

from dataclasses import replace

import pytest

from leaflab.app import main
from leaflab.workflow.promote import promote


@pytest.fixture
def waiting(bench):
    """Version 1 passed its gates and waits for a human."""
    bench.lab = replace(bench.lab, gate={name: bench.lab.gate[name] for name in ("floor", "beats_champion")})
    bench.train(skill=0.5)
    done = promote(bench.asking(approve="manual"))
    assert done.outcome == "pending" and "leaflab approve toy 1" in done.headline
    return bench


def champion(bench):
    version = bench.lab.tracking.registry.version("toy", alias="champion")
    return version.number if version else None


def test_a_pending_version_becomes_champion_by_a_humans_word(waiting, capsys):
    assert champion(waiting) is None
    assert main(["approve", "toy", "1", "--why", "looked at the report"]) == 0
    assert champion(waiting) == 1
    assert main(["champion", "toy"]) == 0
    assert main(["champion", "name=toy"]) == 0  # as after a verb
    assert "approved by" in capsys.readouterr().out
    assert main(["approve", "toy", "1", "--why", "again"]) == 2


def test_what_was_not_judged_or_has_no_reason_is_refused(waiting, capsys):
    waiting.train(skill=1.0)
    assert main(["approve", "toy", "2", "--why", "x"]) == 2
    assert "'toy' version 2 was never judged, not pending" in capsys.readouterr().err
    assert main(["approve", "toy", "1", "--why", " "]) == 2
    assert main(["approve", "toy", "1"]) == 2
    assert champion(waiting) is None


def test_a_verdict_against_another_champion_has_lapsed(waiting, capsys):
    waiting.train(skill=1.0)
    promote(waiting.lab)
    assert main(["approve", "toy", "1", "--why", "late"]) == 2
    assert "judged against another champion" in capsys.readouterr().err
    assert champion(waiting) == 2
