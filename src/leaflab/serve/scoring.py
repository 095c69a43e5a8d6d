"""Scores a stream of record batches on all cores, in bounded memory and in input order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from leaflab.errors import DataError
from leaflab.serve.answers import answered

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer

__all__ = ["scored"]


def scored(
    scorer: Scorer, batches: Iterable[pa.RecordBatch], name: str, *, skip: int = 0, threads: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Answers batch by batch.

    While LightGBM scores one batch on all cores, others are read, typed and encoded; few wait at a time.

    Args:
        scorer: the model.
        batches: raw rows.
        name: of the input, for sentences.
        skip: rows at the beginning that need no answer.
        threads: batches in work at a time; None is one a core.

    Raises:
        DataError: a value cannot be read; it is named with its place in the whole input.
    """
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads, "leaflab-scoring") as pool:
        waiting: deque[Future[pa.RecordBatch]] = deque()
        before = 0
        try:
            for batch in batches:
                known = min(max(0, skip - before), batch.num_rows)
                if known < batch.num_rows:
                    waiting.append(pool.submit(_answered, scorer, batch.slice(known), name, before + known))
                before += batch.num_rows
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _answered(scorer: Scorer, batch: pa.RecordBatch, name: str, start: int) -> pa.RecordBatch:
    from leaflab.scorer import BadTable

    try:
        return answered(scorer, batch)
    except BadTable as error:
        at = "" if error.row is None else f", row {start + error.row + 1:,}"
        raise DataError(f"'{name}'{at}:", error.rule) from error
