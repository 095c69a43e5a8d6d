"""What a worker process does: take a job, report, answer, until told to stop."""

from __future__ import annotations

import os
import signal
import traceback
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["work"]


def work(pipe: Connection, bench: Any, threads: int) -> None:
    """Serves jobs from a pipe.

    Ctrl-C and SIGTERM are the driver's to judge, so they are ignored here; a driver that died closes the pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)

    def report(news: Any) -> str:
        pipe.send(("report", news))
        return str(pipe.recv())

    try:
        while (job := pipe.recv()) is not None:
            try:
                answer = ("done", bench.run(job, report))
            except (EOFError, OSError) as error:
                if isinstance(error, EOFError | BrokenPipeError | ConnectionError):
                    return
                answer = ("failed", traceback.format_exc())
            except Exception:
                answer = ("failed", traceback.format_exc())
            pipe.send(answer)
    except (EOFError, BrokenPipeError, ConnectionError):
        return
