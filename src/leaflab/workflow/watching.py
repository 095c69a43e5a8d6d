"""The long-running monitor: looks every so often, survives restarts, and never dies of one bad window."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import LeaflabError
from leaflab.watch.policy import seconds_of

if TYPE_CHECKING:
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.monitor import Monitored

__all__ = ["watch"]

_log = logging.getLogger(__name__)


def watch(lab: Lab, look: Callable[[Lab], Monitored]) -> Monitored:
    """Looks again and again; the time of the next look outlives the process.

    Raises:
        LeaflabError: the last look failed and the watch is over (`monitor.looks`), so there is nothing to return.
    """
    every = seconds_of("monitor.every", lab.monitor.every) or 0.0
    state, number = lab.folder / "monitor" / f"{lab.name}.json", 0
    while True:
        wait = _due(state) - time.time()
        if wait > 0:
            _log.info("The next look is in %.0f seconds.", wait)
            time.sleep(wait)
        number += 1
        last = number == lab.monitor.looks
        try:
            result = look(lab)
            _log.info("%s", result)
            if last:
                return result
        except Exception as error:
            if last:
                raise
            kind = "" if isinstance(error, LeaflabError) else f"{type(error).__name__}: "
            _log.warning("This look failed, the watch goes on: %s%s", kind, error)
        finally:
            _plan(state, time.time() + every)


def _due(state: Path) -> float:
    """When the next look is due; at once where nothing, or nothing readable, was left behind."""
    try:
        return float(json.loads(state.read_text(encoding="utf-8"))["next"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _plan(state: Path, when: float) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps({"next": when}), encoding="utf-8")
    fresh.replace(state)
