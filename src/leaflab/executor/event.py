"""How a job ended."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Event"]

_FULL = re.compile(r"No space left on device|\d+ requested and \d+ written")
"""As the system says it, and as numpy does."""


@dataclass(frozen=True)
class Event:
    """How a job ended.

    Args:
        number: the job's number, as submitted.
        kind: "done" (`result` is what the bench returned), "failed" (it raised), "stopped" (its worker ran too long or
            grew too large) or "lost" (its worker died).
        result: what the bench returned.
        error: the traceback, or why the worker is gone.
    """

    number: int
    kind: Literal["done", "failed", "stopped", "lost"]
    result: Any = None
    error: str = ""

    def must_have_had_room(self) -> None:
        """A disk without room is no fault of a job: whoever submitted it is to stop, and to submit it again later.

        Raises:
            OSError: ENOSPC, where the job failed because its disk was full.
        """
        if self.kind == "failed" and _FULL.search(self.error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
