"""The journal of a sweep: Optuna's own format, written behind, held by one driver at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from leaflab.errors import ConfigError

__all__ = ["Journal", "held"]


class Journal(BaseJournalBackend):
    """Optuna's journal file with one write a decision instead of one a value.

    Optuna appends and syncs the file for every suggested parameter and report. Only one driver writes here (see
    `held`), so operations gather in memory until `flush`; what was not flushed is work that a restart repeats. A line
    cut off by a crash is dropped when the file is opened.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._logs: list[dict[str, Any]] = []
        self._written = 0
        if file.is_file():
            self._logs = list(self._whole_lines())
            self._written = len(self._logs)

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        content = self._file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._file, len(whole))
        for line in whole.splitlines():
            yield json.loads(line)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += [json.loads(json.dumps(log)) for log in logs]

    def flush(self) -> None:
        """Makes everything so far survive a crash."""
        fresh = self._logs[self._written :]
        if not fresh:
            return
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in fresh)
        with self._file.open("ab") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        self._written = len(self._logs)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The sweep's lock; the system releases it when the process ends, however it ends.

    Raises:
        ConfigError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read().strip() or "another process"
            hint = "wait for it, or change the seed to start another sweep"
            raise ConfigError("This sweep", f"is already being run by {who}", hint=hint) from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
