"""How LightGBM's threads share the cores with everything else."""

from __future__ import annotations

import os

__all__ = ["rest_when_idle", "share"]


def rest_when_idle() -> None:
    """Lets LightGBM's threads sleep between two scorings, where OpenMP would have them spin; before it is loaded.

    Spinning threads take the cores from the reading, encoding and answering that goes on meanwhile.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def share(threads: int) -> None:
    """Gives every scoring that many threads, here and in the processes started from here; before LightGBM is loaded."""
    rest_when_idle()
    os.environ["OMP_NUM_THREADS"] = str(threads)
