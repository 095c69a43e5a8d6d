"""A window of current rows, gathered from a stream: counts of every row, a sample of whole ones, their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from leaflab.drift.profile import Profile, Profiler, Sample
from leaflab.watch.scored import Scored, score

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.drift.base import Finding
    from leaflab.drift.sketch import Sketch
    from leaflab.scorer import Scorer

__all__ = ["KEPT", "Gathering", "Typed", "Window"]

KEPT = 100_000
_TRUTH, _TIME = "\0truth", "\0time"


@dataclass(frozen=True)
class Typed:
    """Some current rows, typed.

    Args:
        frame: the model's columns; those the current rows lack are null throughout.
        truth: class codes or values, shape (rows,); NaN where the label has not come.
        keys: a number from each row's id, shape (rows,); the same id gives the same number.
        times: seconds since the epoch a row, NaN where unknown; None without a time column.
        bad: column to a mask of the values that cannot be read as their kind (null in the frame).
        waited: seconds between a row and its label, NaN where either time is unknown; None where all are.
    """

    frame: pd.DataFrame
    truth: np.ndarray
    keys: np.ndarray
    times: np.ndarray | None = None
    bad: Mapping[str, np.ndarray] = field(default_factory=dict)
    waited: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: np.ndarray) -> Typed:
        """The rows of a mask."""
        times, waited = (None if side is None else side[rows] for side in (self.times, self.waited))
        bad = {name: mask[rows] for name, mask in self.bad.items()}
        return Typed(self.frame[rows], self.truth[rows], self.keys[rows], times, bad, waited)


@dataclass(frozen=True)
class Window:
    """Current rows.

    Args:
        label: for people (`2013-05`, `rows 1–2,000`).
        profile: of all rows; columns that the current rows lack are left out.
        scored: the rows with answers and what truth there is, in time order; of more than 100,000 a random sample.
        labelled: those with their truth; of more than 100,000 a random sample.
        rows, truths: rows, and rows with their truth.
        repeated: rows whose id another row has.
        times: seconds since the epoch of the rows in `scored`, NaN where unknown; None without a time column.
        end: time of the newest row; None where not known.
        delay: median seconds between a row and its label; None where not known.
        findings: what was noticed while reading.
    """

    label: str
    profile: Profile
    scored: Scored
    labelled: Scored
    rows: int
    truths: int
    repeated: int = 0
    times: np.ndarray | None = None
    end: float | None = None
    delay: float | None = None
    findings: tuple[Finding, ...] = ()


class Gathering:
    """A window in the making, in memory that does not grow with its rows (but for eight bytes a row).

    Args:
        grids: the reference's sketches by column.
        absent: columns that the current rows lack.
        sample: rows for the tests of all columns together.
        kept: rows whose answers are asked for.
    """

    def __init__(
        self, grids: Mapping[str, Sketch], absent: frozenset[str] = frozenset(), *, sample: int, kept: int = KEPT
    ) -> None:
        self._profiler = Profiler({k: v for k, v in grids.items() if k not in absent}, sample=sample)
        self._some, self._labelled = Sample(kept, 3), Sample(kept, 4)
        self._schema: pa.Schema | None = None
        self._keys: list[np.ndarray] = []
        self._waited: list[np.ndarray] = []
        self._timed, self._end = False, -np.inf
        self.rows, self._truths = 0, 0

    def add(self, rows: Typed) -> None:
        """Takes the next rows."""
        import pyarrow as pa

        if not len(rows):
            return
        times = np.full(len(rows), np.nan) if rows.times is None else rows.times
        whole = rows.frame.assign(**{_TRUTH: rows.truth, _TIME: times})
        batch = pa.RecordBatch.from_pandas(whole, schema=self._schema, preserve_index=False)
        self._schema = batch.schema
        self._profiler.update(batch)
        for name, mask in rows.bad.items():
            self._profiler.bad(name, int(mask.sum()))
        self._some.update(batch)
        known = ~np.isnan(rows.truth)
        if known.any():
            self._labelled.update(batch.filter(pa.array(known)))
        self._keys.append(rows.keys)
        if rows.waited is not None:
            self._waited.append(rows.waited[~np.isnan(rows.waited)])
        self._timed = self._timed or rows.times is not None
        self._end = np.fmax(self._end, times.max(initial=-np.inf, where=~np.isnan(times)))
        self.rows, self._truths = self.rows + len(rows), self._truths + int(known.sum())

    def window(self, label: str, scorer: Scorer) -> Window:
        """The window, its kept rows scored."""
        scored, times = self._scored(self._some, scorer)
        labelled = scored.labelled
        if self._truths > len(labelled):
            labelled, _ = self._scored(self._labelled, scorer)
        waited = np.concatenate([np.empty(0), *self._waited])
        return Window(
            label=label,
            profile=self._profiler.profile(),
            scored=scored,
            labelled=labelled,
            rows=self.rows,
            truths=self._truths,
            repeated=self._repeated(),
            times=times if self._timed and not np.isnan(times).all() else None,
            end=float(self._end) if np.isfinite(self._end) else None,
            delay=float(np.median(waited)) if len(waited) else None,
        )

    def _repeated(self) -> int:
        """Rows whose id an earlier one has; sorted in place, because every other way holds the ids several times."""
        keys = np.concatenate(self._keys)
        self._keys.clear()
        keys.sort()
        return int(np.count_nonzero(keys[1:] == keys[:-1]))

    def _scored(self, sample: Sample, scorer: Scorer) -> tuple[Scored, np.ndarray]:
        """The sampled rows in time order, those without a time first."""
        assert self._schema is not None
        frame = sample.table(self._schema).to_pandas()
        truth, times = (frame.pop(name).to_numpy("float64", na_value=np.nan) for name in (_TRUTH, _TIME))
        order = np.argsort(np.nan_to_num(times, nan=-np.inf), kind="stable")
        frame = frame.iloc[order].reset_index(drop=True)
        return score(scorer, frame, truth[order]), times[order]
