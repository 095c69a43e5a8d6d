"""What a phase costs is its own, and nobody else's."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from leaflab.model.meter import Meter

MEGABYTES = 1 << 20


def test_wall_and_cpu_seconds_belong_to_their_phase():
    meter = Meter()
    time.sleep(0.2)
    meter.lap("wait")
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    meter.lap("work")
    meter.lap("wait")
    facts = meter.facts
    assert facts["wait_seconds"] >= 0.2
    assert facts["cpu/wait_seconds"] < facts["cpu/work_seconds"] <= facts["work_seconds"] + 0.01
    assert meter.totals["cpu_seconds"] == pytest.approx(facts["cpu/wait_seconds"] + facts["cpu/work_seconds"])


def test_memory_is_the_peak_of_its_phase():
    meter = Meter()
    held = np.ones(200 * MEGABYTES // 8)
    del held
    meter.lap("large")
    meter.lap("small")
    large, small = meter.facts["memory/large_bytes"], meter.facts["memory/small_bytes"]
    assert meter.totals["memory/peak_bytes"] == large > 200 * MEGABYTES
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("this system keeps no peak of a phase")
    assert large - small > 150 * MEGABYTES
