"""The journal of a sweep: Optuna's own format, written behind, held by one driver at a time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

from leaflab.alone import alone
from leaflab.errors import ConfigError, TrackingError

__all__ = ["RUNG", "Journal", "held", "kept"]

RUNG = "completed_rung"
"""Where a halving pruner keeps how far a trial has come."""
_FINISHED = {state.value for state in TrialState if state.is_finished()}


class Journal(BaseJournalBackend):
    """Optuna's journal file with one write a decision instead of one a value.

    Optuna appends and syncs the file for every suggested parameter and report. Only one driver writes here (see
    `held`), so operations gather in memory until `flush`, which is kept whole or not at all: every line but its last
    says that there is `more`, and a tail that breaks off is dropped when the file is opened. Reports of a trial are
    written with its end: one that was interrupted starts again without them, and is pruned as it would have been.
    """

    def __init__(self, file: Path) -> None:
        """Opens the file, or begins one.

        Raises:
            TrackingError: a line in it is none that was ever written here.
        """
        self._file = file
        self._logs = list(self._whole_flushes()) if file.is_file() else []
        self._waiting: list[dict[str, Any]] = []

    def _whole_flushes(self) -> Iterator[dict[str, Any]]:
        content = self._file.read_bytes()
        lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
        logs = [self._read(number, line) for number, line in enumerate(lines, 1)]
        while logs and logs[-1].get("more"):
            logs.pop()
        kept = sum(map(len, lines[: len(logs)]))
        if kept < len(content):
            os.truncate(self._file, kept)
        yield from logs

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            log: dict[str, Any] = json.loads(line)
            log["op_code"]
        except (ValueError, TypeError, KeyError) as error:
            hint = f"cut '{self._file}' off before that line to go on from there, or begin anew with search.fresh=true"
            raise TrackingError("The journal of this sweep", f"is garbled in line {number}", hint=hint) from error
        return log

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        plain = [json.loads(json.dumps(log)) for log in logs]
        self._logs += plain
        self._waiting += plain

    def flush(self) -> None:
        """Makes everything so far survive a crash, but for reports of running trials."""
        ready = self._ready()
        if ready:
            self._write(ready)

    def _ready(self) -> list[dict[str, Any]]:
        """What may be written now; the rest goes on waiting."""
        ended = {log["trial_id"] for log in self._waiting if log.get("state") in _FINISHED and "trial_id" in log}
        early = [_reports(log) and log["trial_id"] not in ended for log in self._waiting]
        ready = [log for log, wait in zip(self._waiting, early, strict=True) if not wait]
        self._waiting = [log for log, wait in zip(self._waiting, early, strict=True) if wait]
        return ready

    def _write(self, logs: list[dict[str, Any]]) -> None:
        marked = [*({**log, "more": True} for log in logs[:-1]), logs[-1]]
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in marked)
        with self._file.open("ab") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())


def _reports(log: Mapping[str, Any]) -> bool:
    """Whether an operation belongs to one attempt at a trial: a report, or the rung a halving pruner keeps of it."""
    if log["op_code"] == JournalOperation.SET_TRIAL_SYSTEM_ATTR:
        return str(next(iter(log["system_attr"]))).startswith(RUNG)
    return bool(log["op_code"] == JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The sweep's lock; the system releases it when the process ends, however it ends.

    Raises:
        ConfigError: another process holds it.
    """
    hint = "wait for it, or change the seed to start another sweep"
    with alone(folder / "lock", lambda who: ConfigError("This sweep", f"is already being run by {who}", hint=hint)):
        yield


@contextmanager
def kept(study: str, folder: Path, name: str, directions: Sequence[str]) -> Iterator[Journal]:
    """The study of a sweep where the user wants it: "journal", a file in its folder, or a database by its URL.

    Raises:
        ConfigError: the sweep began in another place.
    """
    from leaflab.search.database import database

    shown = re.sub(r":[^:@/]*@", "@", study)
    marker = folder / "study"
    before = marker.read_text(encoding="utf-8") if marker.is_file() else shown
    if before != shown:
        hint = f"continue it with search.study={before}, or begin anew with search.fresh=true"
        raise ConfigError("`search.study`", f"of this sweep is {before}", got=shown, hint=hint)
    if study == "journal":
        yield Journal(folder / "journal.log")
        return
    with database(study, folder, name, directions) as opened:
        marker.write_text(shown, encoding="utf-8")
        yield opened
