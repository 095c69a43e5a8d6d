"""What the phases of a job cost: wall seconds, CPU seconds and memory."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path

__all__ = ["Meter"]

_PEAK, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class Meter:
    """Measures phases that follow one another in this process, from its making on.

    Attributes:
        facts: `<phase>_seconds` of wall clock and `cpu/<phase>_seconds`, summed over laps of the same phase;
            `memory/<phase>_bytes`, the most that the process held in it (since its start where the system keeps no
            peak of a phase).
    """

    def __init__(self) -> None:
        self.facts: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        """Begins the next phase now: what was done since the last one is nobody's."""
        self._wall, self._cpu = time.monotonic(), time.process_time()
        with contextlib.suppress(OSError):
            _PEAK.write_text("5")  # the kernel's peak begins anew

    def lap(self, phase: str) -> None:
        """Ends a phase, and begins the next one."""
        costs = {
            f"{phase}_seconds": time.monotonic() - self._wall,
            f"cpu/{phase}_seconds": time.process_time() - self._cpu,
        }
        for name, seconds in costs.items():
            self.facts[name] = self.facts.get(name, 0.0) + seconds
        memory = f"memory/{phase}_bytes"
        self.facts[memory] = max(self.facts.get(memory, 0.0), _peak())
        self.restart()

    @property
    def totals(self) -> dict[str, float]:
        """`cpu_seconds` and `memory/peak_bytes` of all phases."""
        cpu = sum(v for k, v in self.facts.items() if k.startswith("cpu/"))
        return {
            "cpu_seconds": cpu,
            "memory/peak_bytes": max(v for k, v in self.facts.items() if k.startswith("memory/")),
        }


def _peak() -> float:
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024
