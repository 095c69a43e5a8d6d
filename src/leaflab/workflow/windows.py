"""The current rows cut into windows, drawn as a stream: each window is looked at as soon as its last row has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from leaflab.errors import ConfigError, DataError
from leaflab.source.base import Reread
from leaflab.watch.window import Gathering, Window
from leaflab.workflow.units import told

if TYPE_CHECKING:
    from leaflab.source.base import Reading
    from leaflab.watch.look import Known
    from leaflab.workflow.current import Current, Typing
    from leaflab.workflow.lab import Lab

__all__ = ["Windows"]


@dataclass(frozen=True)
class _Cut:
    """Which row belongs to which window.

    Args:
        places: window of each row, -1 for none; None: rows follow one another in windows of `size`.
        size: rows of a window.
        counts: rows of each window; None where it is `size`.
        labels: for people; None: by the numbers of the rows.
    """

    places: np.ndarray | None
    size: int
    counts: np.ndarray | None = None
    labels: tuple[str, ...] | None = None

    def of(self, start: int, rows: int) -> np.ndarray:
        if self.places is None:
            return np.arange(start, start + rows) // self.size
        return self.places[start : start + rows]

    def full(self, number: int, rows: int) -> bool:
        return rows >= (self.size if self.counts is None else int(self.counts[number]))

    def label(self, number: int, rows: int, whole: str) -> str:
        if self.labels is not None:
            return self.labels[number]
        first = number * self.size
        return f"rows {first + 1:,}–{first + rows:,}" if self.size < _ALL else whole


_ALL = 1 << 62


class Windows:
    """The windows of some current rows, oldest first; `notes` is complete after the last one.

    Args:
        lab: the rooms.
        current: the rows.
        typing: how they are typed.
        known: the reference side.
    """

    def __init__(self, lab: Lab, current: Current, typing: Typing, known: Known) -> None:
        self._lab, self._current, self._typing, self._known = lab, current, typing, known
        self._given = 0
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Window]:
        reading = self._current.open()
        cut = self._cut()
        while True:
            try:
                yield from self._drawn(reading, cut)
                break
            except Reread as again:  # the windows that were given stay as they are; the rest is read with more care
                reading = again.reading
        if not self._given:
            raise DataError(f"'{self._lab.current}'", "holds no rows")

    def _drawn(self, reading: Reading, cut: _Cut) -> Iterator[Window]:
        open_: dict[int, Gathering] = {}
        self._typing.begin(reading.schema)
        due, start, truths = self._given, 0, 0
        for batch in reading.batches:
            rows = self._typing.rows(batch)
            truths += int((~np.isnan(rows.truth)).sum())
            place = cut.of(start, len(rows))
            start += len(rows)
            for number in np.unique(place[place >= self._given]):
                mine = place == number
                into = open_.setdefault(int(number), self._gathering())
                into.add(rows if mine.all() else rows.take(mine))
            while due in open_ and cut.full(due, open_[due].rows):
                yield self._window(open_.pop(due), cut, due)
                due += 1
        for number in sorted(open_):
            yield self._window(open_[number], cut, number)
        self.notes = list(self._typing.notes(reading, start, truths))
        if cut.places is not None and (timeless := int((cut.places < 0).sum())):
            self.notes.append(f"{timeless:,} rows without a readable time belong to no window")

    def _gathering(self) -> Gathering:
        return Gathering(self._known.profile.columns, self._typing.absent, sample=self._lab.monitor.sample)

    def _window(self, made: Gathering, cut: _Cut, number: int) -> Window:
        self._given = number + 1
        return made.window(cut.label(number, made.rows, self._current.name), self._known.scorer)

    def _cut(self) -> _Cut:
        how = self._lab.monitor.window
        if how is None:
            return _Cut(None, _ALL)
        times = self._times()
        if isinstance(how, int):
            return _by_rows(how, times)
        if times is None:
            hint = "cut by rows, as in monitor.window=2000"
            raise ConfigError("`monitor.window`", "needs a time column (dataset.time)", got=told(how), hint=hint)
        if np.isnan(times).all():
            raise DataError(f"'{self._lab.current}'", "has no row with a readable time")
        return _by_span(how.total_seconds(), times)

    def _times(self) -> np.ndarray | None:
        """The time of every row, in a pass of its own; None without a time column."""

        def drawn(reading: Reading) -> list[np.ndarray]:
            self._typing.begin(reading.schema)
            return [*takewhile(lambda times: times is not None, map(self._typing.times, reading.batches))]  # type: ignore[list-item]

        found = self._current.open().into(drawn)[0]
        return np.concatenate(found) if found else None


def _by_rows(size: int, times: np.ndarray | None) -> _Cut:
    if times is None or (np.diff(times) >= 0).all():
        return _Cut(None, size)
    places = np.empty(len(times), dtype="int64")
    places[np.argsort(np.nan_to_num(times, nan=-np.inf), kind="stable")] = np.arange(len(times)) // size
    return _Cut(places, size, np.bincount(places))


def _by_span(span: float, times: np.ndarray) -> _Cut:
    known = ~np.isnan(times)
    spans, within = np.unique(np.floor(times[known] / span).astype("int64"), return_inverse=True)
    places = np.full(len(times), -1)
    places[known] = within
    unit = "datetime64[m]" if span < 86400 else "datetime64[D]"
    labels = tuple(str(np.datetime64(int(one * span), "s").astype(unit)) for one in spans)
    return _Cut(places, len(times), np.bincount(within, minlength=len(spans)), labels)
