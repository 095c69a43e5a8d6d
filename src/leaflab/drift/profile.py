"""A table in little: one sketch a column and a sample of whole rows, drawn from a stream in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.drift.sketch import Sketch, grid, numbers_of

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.drift.base import Kind

__all__ = ["CHUNK", "Profile", "Profiler", "Sample", "batches_of", "kinds_of", "profile", "reference_profile"]

CHUNK = 1 << 17
_LEARN = 100_000


@dataclass(frozen=True)
class Profile:
    """What a table holds.

    Args:
        rows: rows seen.
        columns: name to sketch.
        sample: whole rows drawn at random, at most `Sample.size`.
        scores: sketches of the model's answers (`prediction`, or `proba_<class>`), where they were given.
    """

    rows: int
    columns: Mapping[str, Sketch]
    sample: pa.Table
    scores: Mapping[str, Sketch] = field(default_factory=dict)

    def scored(self, answers: Mapping[str, np.ndarray], like: Profile | None = None) -> Profile:
        """The same profile with the model's answers, on the grid of `like` where it is given."""
        import pyarrow as pa

        scores = {}
        for name, values in answers.items():
            known = like.scores.get(name) if like else None
            finite = values[np.isfinite(values)]
            empty = Sketch.like(known) if known else Sketch.on(_grid_of(finite))
            empty.update(pa.array(values))
            scores[name] = empty
        return replace(self, scores=scores)


class Sample:
    """Rows drawn without replacement from a stream, each with the same chance (a random key a row, the least stay)."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._random = np.random.default_rng(seed)
        self._held: list[tuple[np.ndarray, pa.RecordBatch]] = []
        self._count, self._bar = 0, 1.0

    def update(self, batch: pa.RecordBatch) -> None:
        keys = self._random.random(batch.num_rows)
        chosen = np.flatnonzero(keys < self._bar)
        if len(chosen):
            self._held.append((keys[chosen], batch.take(chosen)))
            self._count += len(chosen)
        if self._count > 2 * self.size:
            self._shrink()

    def _shrink(self) -> None:
        import pyarrow as pa

        keys = np.concatenate([k for k, _ in self._held])
        table = pa.Table.from_batches([b for _, b in self._held])
        order = (
            np.sort(np.argpartition(keys, self.size)[: self.size]) if len(keys) > self.size else np.arange(len(keys))
        )
        kept = table.take(order).combine_chunks().to_batches()
        keys, self._count = keys[order], len(order)
        starts = np.cumsum([0, *(b.num_rows for b in kept)])
        self._held = [(keys[a : a + b.num_rows], b) for a, b in zip(starts, kept, strict=False)]
        self._bar = float(keys.max()) if self._count == self.size else 1.0

    def table(self, schema: pa.Schema) -> pa.Table:
        import pyarrow as pa

        if self._held:
            self._shrink()
        return pa.Table.from_batches([b for _, b in self._held], schema=schema)


def kinds_of(schema: pa.Schema) -> dict[str, Kind]:
    """The kind of every column by its Arrow type; columns of other types are left out."""
    import pyarrow as pa

    kinds: dict[str, Kind] = {}
    for one in schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            kinds[one.name] = "number"
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            kinds[one.name] = "time"
        elif pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            kinds[one.name] = "level"
    return kinds


def batches_of(table: pa.Table) -> Callable[[], Iterable[pa.RecordBatch]]:
    """A table as a stream that can be drawn again."""
    return lambda: table.to_batches(max_chunksize=CHUNK)


def reference_profile(
    batches: Callable[[], Iterable[pa.RecordBatch]], kinds: Mapping[str, Kind], *, sample: int = 20_000, seed: int = 0
) -> Profile:
    """The profile others are compared with; the stream is drawn twice, first to find the grid."""
    chosen, extremes = (
        Sample(_LEARN, seed),
        {name: (np.inf, -np.inf) for name, kind in kinds.items() if kind != "level"},
    )
    schema = None
    for batch in batches():
        schema = schema or batch.schema
        chosen.update(batch)
        for name in extremes.keys() & set(batch.schema.names):
            extremes[name] = _wider(extremes[name], batch.column(name), kinds[name])
    known = chosen.table(schema) if schema is not None else None
    grids = {}
    for name, kind in kinds.items():
        if kind == "level":
            grids[name] = Sketch("level")
        elif known is not None and name in known.column_names:
            values = numbers_of(known.column(name).combine_chunks(), kind)[0]
            grids[name] = Sketch.on(grid(values, *extremes[name]), kind)
    return profile(batches(), grids, sample=sample, seed=seed + 1)


def profile(
    batches: Iterable[pa.RecordBatch], grids: Mapping[str, Sketch], *, sample: int = 20_000, seed: int = 2
) -> Profile:
    """The profile of a stream on the grids of another; columns it lacks are absent, further ones are passed over."""
    made = Profiler(grids, sample=sample, seed=seed)
    for batch in batches:
        made.update(batch)
    return made.profile()


class Profiler:
    """A profile in the making, on the grids of another one.

    Args:
        grids: column to a sketch on its grid.
        sample: whole rows kept.
        seed: of the sample.
    """

    def __init__(self, grids: Mapping[str, Sketch], *, sample: int = 20_000, seed: int = 2) -> None:
        self._grids, self._sample = grids, Sample(sample, seed)
        self._sketches: dict[str, Sketch] = {}
        self._schema: pa.Schema | None = None
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows, whose columns are those of the first ones."""
        import pyarrow as pa

        if self._schema is None:
            self._schema = pa.schema([f for f in batch.schema if f.name in self._grids])
            self._sketches = {name: Sketch.like(self._grids[name]) for name in self._schema.names}
        known = batch.select(self._schema.names)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda name: self._sketches[name].update(known.column(name)), self._schema.names))
        self._sample.update(known)
        self._rows += batch.num_rows

    def bad(self, column: str, count: int) -> None:
        """Some of the values that were taken as missing could not be read as their kind."""
        if column in self._sketches:
            sketch = self._sketches[column]
            sketch.bad, sketch.nulls = sketch.bad + count, sketch.nulls - count

    def profile(self) -> Profile:
        """What was seen so far."""
        import pyarrow as pa

        return Profile(self._rows, self._sketches, self._sample.table(self._schema or pa.schema([])))


def _wider(known: tuple[float, float], array: pa.Array[Any], kind: Kind) -> tuple[float, float]:
    values = numbers_of(array, kind)[0]
    return (min(known[0], float(values.min())), max(known[1], float(values.max()))) if len(values) else known


def _grid_of(values: np.ndarray) -> np.ndarray:
    return grid(values, float(values.min()), float(values.max())) if len(values) else np.empty(0)
