"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from leaflab.errors import Interrupted

__all__ = ["Stopping"]

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """As a context: takes over both signals; `asked` is true after the first one, the second raises `Interrupted`."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            hint = "the same command continues it"
            raise Interrupted("The sweep", "was stopped at once; its finished trials are kept", hint=hint)
        self.asked = True
        _log.info("Stopping: the best model so far is refitted and registered. Ctrl-C again to stop now.")
