"""One process at a time, where a second one is to be refused."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["alone"]


@contextmanager
def alone(path: Path, refusal: Callable[[str], Exception]) -> Iterator[None]:
    """Holds a lock file that says who holds it; the system releases it when the process ends, however it ends.

    Args:
        path: the lock file, made with its folder.
        refusal: what is raised where another process holds it, from who that is (`process 123`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise refusal(file.read().strip() or "another process") from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
