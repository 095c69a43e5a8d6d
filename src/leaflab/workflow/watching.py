"""The long-running monitor: looks every so often, survives restarts, and never dies of one bad window."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.alone import alone
from leaflab.errors import ConfigError, LeaflabError

if TYPE_CHECKING:
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.monitor import Monitored

__all__ = ["watch"]

_log = logging.getLogger(__name__)


def watch(lab: Lab, look: Callable[[Lab], Monitored]) -> Monitored:
    """Looks again and again; the time of the next look outlives the process.

    Raises:
        ConfigError: another process watches this model, or `monitor.every` is no time at all.
        LeaflabError: the last look failed and the watch is over (`monitor.looks`), so there is nothing to return.
    """
    every = lab.monitor.every.total_seconds()
    if not every:
        raise ConfigError("`monitor.every`", "must be a span above 0, as in 30m or 1h", got="0s")
    folder, watched = lab.folder / "monitor", f"The watch of '{lab.name}'"
    hint = "stop that one first, or look once without monitor.watch"
    with alone(  # two would share its schedule, its alarms and its retraining
        folder / f"{lab.name}.lock", lambda who: ConfigError(watched, f"is already kept by {who}", hint=hint)
    ):
        return _looks(lab, look, every, folder / f"{lab.name}.json")


def _looks(lab: Lab, look: Callable[[Lab], Monitored], every: float, state: Path) -> Monitored:
    number = 0
    while True:
        wait = min(_due(state) - time.time(), every)  # never longer, whatever the clock or an earlier watch says
        if wait > 0:
            _log.info("The next look is in %.0f seconds.", wait)
            time.sleep(wait)
        number += 1
        last = number == lab.monitor.looks
        try:
            result = look(lab)
        except Exception as error:
            _plan(state, time.time() + every)
            if last:
                raise
            kind = "" if isinstance(error, LeaflabError) else f"{type(error).__name__}: "
            _log.warning("This look failed, the watch goes on: %s%s", kind, error)
        else:
            _plan(state, time.time() + every)
            _log.info("%s", result)
            if last:
                return result


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
