"""What a sweep shows while it runs."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys

import pytest

from leaflab.console import progress
from leaflab.values import Trial


def trial(number: int, value: float | None, state: str = "complete") -> Trial:
    return Trial(number=number, state=state, params={}, value=value)  # type: ignore[arg-type]


def test_a_file_gets_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "leaflab.console")
    with progress("log_loss", "minimize", trials=50, seconds=None) as watch:
        for number in range(50):
            watch(trial(number, 0.5 - number / 1000))
    lines = [r.getMessage() for r in caplog.records if r.name == "leaflab.console"]
    assert len(lines) == 1
    assert "trial 1 of 50  best log_loss 0.5 (trial 0)" in lines[0]


SHOW = """
import logging, time
from leaflab.console import progress
from leaflab.values import Trial
logging.getLogger("leaflab").setLevel({level})
with progress("auc", "maximize", trials=4, seconds=60) as watch:
    for number, (value, state) in enumerate([(.7, "complete"), (.9, "pruned"), (.8, "deadline"), (None, "failed")]):
        watch(Trial(number=number, state=state, params={{}}, value=value))
        time.sleep(0.3)
"""


def on_a_terminal(code: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, stdout=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        process.wait(timeout=30)
    os.close(ours)
    assert process.returncode == 0, seen
    return seen.decode()


def test_a_terminal_gets_a_bar_with_the_best_that_counts() -> None:
    seen = on_a_terminal(SHOW.format(level=logging.INFO))
    assert "of 4" in seen
    assert "best auc 0.8 (trial 2)" in seen
    assert "s left" in seen
    assert "0.9" not in seen


def test_quiet_means_quiet() -> None:
    assert on_a_terminal(SHOW.format(level=logging.WARNING)) == ""
