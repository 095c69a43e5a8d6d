"""What the commands about history look at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leaflab.workflow.promote import promote


@pytest.fixture
def judged(bench):
    """Two champions, one refusal, one rollback."""
    bench.lab = replace(bench.lab, gate={name: bench.lab.gate[name] for name in ("floor", "beats_champion")})
    for skill in (0.4, 1.0, 0.2):
        bench.train(skill=skill)
        try:
            promote(bench.lab)
        except Exception as refusal:
            assert "refused" in str(refusal)
    promote(bench.asking(rollback=True, why="it misbehaves"))
    return bench
