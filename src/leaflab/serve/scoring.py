"""Scores a stream of record batches on all cores or on many machines, in bounded memory and in input order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from leaflab.errors import DataError
from leaflab.serve.answers import answered

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer

__all__ = ["ScoringBench", "pieces", "scored"]

_ROWS = 1 << 14

Piece = tuple[int, "pa.RecordBatch"]


def pieces(batches: Iterable[pa.RecordBatch], skip: int = 0, rows: int = _ROWS) -> Iterator[Piece]:
    """Batches cut into small ones, each with the place of its first row in the whole input.

    Args:
        batches: raw rows.
        skip: rows at the beginning that need no answer.
        rows: of a piece, at most.
    """
    before = 0
    for batch in batches:
        for start in range(min(max(0, skip - before), batch.num_rows), batch.num_rows, rows):
            yield before + start, batch.slice(start, rows)
        before += batch.num_rows


def scored(scorer: Scorer, asked: Iterable[Piece], name: str, threads: int | None = None) -> Iterator[pa.RecordBatch]:
    """Answers piece by piece.

    Each core reads, types, encodes and scores a piece of its own: that is faster than all cores on one piece, since
    none waits for the others. Few pieces wait at a time.

    Args:
        scorer: the model.
        asked: raw rows.
        name: of the input, for sentences.
        threads: pieces in work at a time; None is one a core.

    Raises:
        DataError: a value cannot be read; it is named with its place in the whole input.
    """
    threads = threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads, "leaflab-scoring", initializer=partial(_one_core, scorer)) as pool:
        waiting: deque[Future[pa.RecordBatch]] = deque()
        try:
            for piece in asked:
                waiting.append(pool.submit(_answered, scorer, name, piece))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@dataclass
class ScoringBench:
    """Scoring as work for an executor: a job is a piece, its result the answers, or the error that names a bad value.

    Args:
        scorer: the model.
        name: of the input, for sentences.
    """

    scorer: Scorer
    name: str

    def run(self, job: Piece, report: Callable[[Any], str]) -> pa.RecordBatch | DataError:
        with _one_core(self.scorer):
            try:
                return _answered(self.scorer, self.name, job)
            except DataError as error:
                return error


def _one_core(scorer: Scorer) -> Any:
    """Keeps LightGBM, which is loaded first, to one core in the thread that calls; as a context it gives them back."""
    from threadpoolctl import threadpool_limits

    getattr(scorer.predictor, "boosters", None)
    return threadpool_limits(1, user_api="openmp")


def _answered(scorer: Scorer, name: str, piece: Piece) -> pa.RecordBatch:
    from leaflab.scorer import BadTable

    start, batch = piece
    try:
        return answered(scorer, batch)
    except BadTable as error:
        at = "" if error.row is None else f", row {start + error.row + 1:,}"
        raise DataError(f"'{name}'{at}:", error.rule) from error
