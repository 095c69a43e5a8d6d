"""Scores a table on the workers of an executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from leaflab.errors import DataError
from leaflab.serve.scoring import Piece, ScoringBench

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.executor.base import Executor
    from leaflab.scorer import Scorer

__all__ = ["spread"]


def spread(executor: Executor, scorer: Scorer, asked: Iterable[Piece], name: str) -> Iterator[pa.RecordBatch]:
    """Answers piece by piece, in input order; each worker has one piece at a time, and few wait for their turn.

    Args:
        executor: whose workers score.
        scorer: the model, sent to each once.
        asked: raw rows.
        name: of the input, for sentences.

    Raises:
        DataError: a value cannot be read; it is named with its place in the whole input.
    """
    with executor.open(ScoringBench(scorer, name), 0) as pool:
        coming = enumerate(asked)
        done: dict[int, pa.RecordBatch | DataError] = {}
        submitted = given = 0
        while True:
            while submitted - given - len(done) < pool.size and submitted - given < 4 * pool.size:
                if (found := next(coming, None)) is None:
                    break
                pool.submit(*found)
                submitted += 1
            if submitted == given:
                return
            for event in pool.events(1.0, lambda number, report: ""):
                if event.kind != "done":
                    raise RuntimeError(f"scoring on {type(executor).__name__} failed: {event.error}")
                done[event.number] = event.result
            while given in done:
                answer = done.pop(given)
                if isinstance(answer, DataError):
                    raise answer
                yield answer
                given += 1
