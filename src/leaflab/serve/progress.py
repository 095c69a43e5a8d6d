"""How far a scoring is: a live line on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["watched"]

_EVERY_SECONDS = 10.0

_log = logging.getLogger(__name__)


def watched(batches: Iterable[pa.RecordBatch], total: int | None = None) -> Iterator[pa.RecordBatch]:
    """The same batches; what has passed is shown.

    Args:
        batches: answers.
        total: rows to come in all, where that is known.
    """
    live = sys.stderr.isatty() and _log.isEnabledFor(logging.INFO)
    return _bar(batches, total) if live else _lines(batches, total)


def _lines(batches: Iterable[pa.RecordBatch], total: int | None) -> Iterator[pa.RecordBatch]:
    rows, began = 0, time.monotonic()
    told = began
    for batch in batches:
        rows += batch.num_rows
        now = time.monotonic()
        if now - told >= _EVERY_SECONDS:
            told = now
            of = f" of {total:,}" if total else ""
            _log.info("  %s%s rows, %s rows/s", f"{rows:,}", of, f"{rows / (now - began):,.0f}")
        yield batch


def _bar(batches: Iterable[pa.RecordBatch], total: int | None) -> Iterator[pa.RecordBatch]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        for batch in batches:
            bar.advance(task, batch.num_rows)
            yield batch
