"""The current rows of a monitored model: opened, drawn, typed, named, joined with their truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError, DataError
from leaflab.serve.answers import joined_ids, named
from leaflab.source.base import Reading
from leaflab.values import ROW_ID
from leaflab.watch.window import Typed
from leaflab.workflow.labels import coded, keys_of, labels_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Current", "Typing", "current_rows"]

_ZONE = r":\d\d.*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$"


@dataclass(frozen=True)
class Current:
    """Current rows that can be drawn again and again: their name for people, and how to open them."""

    name: str
    open: Callable[[], Reading]


def current_rows(lab: Lab) -> Current:
    """A file (or folder, pattern, URL), a lake table (`raw/flights`, `raw/flights@3`), or the inference log.

    Raises:
        ConfigError: `current` is not set, or names neither files nor a lake table.
    """
    from leaflab.source.file import File

    wanted = lab.current
    if not wanted:
        hint = "name a file, a lake table or the log, as in current=new.csv or current=inferences"
        raise ConfigError("`current`", "is not set", hint=hint)
    path = Path(wanted).expanduser()
    if wanted != "inferences" and (path.exists() or "://" in wanted or re.search(r"[*?\[]", wanted)):
        return Current(path.name if path.exists() else wanted, File(path=wanted).read)
    name, at, number = (f"inference/{lab.name}" if wanted == "inferences" else wanted).partition("@")
    kept = lab.lake.current(name) if "/" in name else None
    if kept is None or (at and not number.isdigit()):
        nothing = (
            f"'{lab.name}' has no inference log yet" if wanted == "inferences" else "neither a file nor a lake table"
        )
        raise ConfigError("`current`", f"must name something to look at ({nothing})", got=wanted)
    version = int(number) if at else kept.version
    return Current(wanted, lambda: _logged(lab, lab.lake.stream(name, version), f"lake/{name}@{version}"))


def _logged(lab: Lab, stream: pa.RecordBatchReader, uri: str) -> Reading:
    """Rows of the inference log that the watched alias answered; rows of any other table as they are."""
    import pyarrow.compute as pc

    batches = iter(stream)
    if {"alias", "request_id"} <= set(stream.schema.names):
        batches = (batch.filter(pc.equal(batch.column("alias"), lab.monitor.alias)) for batch in batches)
    return Reading(stream.schema, batches, uri)


class Typing:
    """Raw batches on their way to a model: typed under its rules, named, joined with their truth.

    Args:
        lab: the rooms.
        subject: the model.

    Raises:
        DataError: the rows have none of the model's columns.
    """

    def __init__(self, lab: Lab, subject: Subject) -> None:
        self._lab, self._subject = lab, subject
        self.absent: frozenset[str] = frozenset()
        self._names: dict[str, str] = {}
        self._odd = 0
        self._zones = np.zeros(2, dtype="int64")

    def begin(self, schema: pa.Schema) -> None:
        """Looks at the columns that there are; in the log, an input whose name was taken is called `NAME (input)`."""
        columns, known = self._subject.scorer.columns, set(schema.names)
        logged = "request_id" in known
        both = {c.name: f"{c.name} (input)" if logged and f"{c.name} (input)" in known else c.name for c in columns}
        self._names = {name: given for name, given in both.items() if given in known}
        self.absent = frozenset(both) - set(self._names)
        self._odd, self._zones = 0, np.zeros(2, dtype="int64")
        if not self._names:
            raise DataError(f"'{self._lab.current}'", f"has none of the columns of {self._subject.label}")

    @cached_property
    def labels(self) -> Any:
        """What the lake's truth table says; None where there is none."""
        return labels_of(self._lab, self._subject)

    def raw(self, batch: pa.RecordBatch) -> pd.DataFrame:
        """A batch as it is, the model's columns under their own names."""
        own = {given: name for name, given in self._names.items()}
        taken = [name for name in batch.schema.names if name in self._names and name not in own]
        return batch.to_pandas().drop(columns=taken).rename(columns=own)

    def rows(self, batch: pa.RecordBatch) -> Typed:
        """A batch, typed."""
        import pandas as pd

        from leaflab.scorer import parse

        given = batch.select(list(self._names.values())).rename_columns(list(self._names)).to_pandas()
        columns: dict[str, pd.Series[Any]] = {}
        bad: dict[str, np.ndarray] = {}
        for column in self._subject.scorer.columns:
            empty = column.name in self.absent
            raw = pd.Series(np.nan, index=given.index) if empty else given[column.name]
            columns[column.name], wrong = parse(raw, column)
            if column.kind == "time":
                self._look_at_zones(raw)
            if wrong.any():
                bad[column.name] = wrong
        frame = pd.DataFrame(columns, index=given.index)
        times = self.times(batch, frame)
        keys = self._keys(batch, frame)
        truth, waited = self._truth(batch, keys, times)
        return Typed(frame, truth, keys, times, bad, waited)

    def times(self, batch: pa.RecordBatch, frame: pd.DataFrame | None = None) -> np.ndarray | None:
        """Seconds since the epoch, from the dataset's time column, or from the log's own `time`; None without any."""
        import pandas as pd

        from leaflab.scorer import parse

        name = self._subject.dataset.roles.time
        rule = next((c for c in self._subject.scorer.columns if c.name == name and c.kind == "time"), None)
        if rule is not None and name in self._names:
            if frame is not None:
                return _seconds(frame[rule.name])
            return _seconds(parse(batch.column(self._names[rule.name]).to_pandas(), rule)[0])
        found = next((n for n in (name, "time") if n in batch.schema.names), None)
        given = batch.column(found).to_pandas() if found else None
        if given is None or given.dtype.kind in "fiub":
            return None
        if found not in self._names:
            self._look_at_zones(given)
        return _seconds(pd.to_datetime(given, errors="coerce", utc=True, format="mixed").dt.tz_localize(None))

    def _look_at_zones(self, given: pd.Series[Any]) -> None:
        import pandas as pd

        if isinstance(given.dtype, pd.StringDtype):
            self._zones += np.bincount(given.dropna().str.contains(_ZONE).astype("int64"), minlength=2)

    def _keys(self, batch: pa.RecordBatch, frame: pd.DataFrame) -> np.ndarray:
        """From the row ids: those of the log, those of the dataset's id columns, else made from content."""
        wanted = self._subject.dataset.roles.ids
        if ROW_ID in batch.schema.names:
            return keys_of(batch.column(ROW_ID))
        if wanted and set(wanted) <= set(batch.schema.names):
            import pyarrow as pa

            return keys_of(pa.array(joined_ids(batch, wanted), pa.string()))
        return keys_of(named(self._subject.scorer, batch, frame))

    def _truth(
        self, batch: pa.RecordBatch, keys: np.ndarray, times: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        import pandas as pd

        target = self._subject.dataset.target
        if target in batch.schema.names:
            given = batch.column(target).to_pandas()
            truth = coded(self._subject.dataset.classes, given)
            self._odd += int((given.notna().to_numpy() & np.isnan(truth)).sum())
            return truth, None
        if self.labels is None:
            return np.full(len(keys), np.nan), None
        truth, came = self.labels.of(keys)
        if "request_id" in batch.schema.names and "time" in batch.schema.names:
            times = _seconds(pd.to_datetime(batch.column("time").to_pandas(), utc=True).dt.tz_localize(None))
        return truth, None if times is None or came is None else came - times

    def notes(self, reading: Reading, rows: int, truths: int) -> Iterator[str]:
        """What was odd, once all rows are drawn."""
        yield from reading.notes
        if reading.bad:
            first = reading.bad[0]
            yield f"{len(reading.bad):,} lines could not be read, the first is line {first.line} ({first.reason})"
        target = self._subject.dataset.target
        if self._zones.all():
            naive, zoned = self._zones
            yield f"time zones are mixed: {naive:,} times have none and are read as UTC, {zoned:,} have one"
        if self._odd:
            yield f"{self._odd:,} values of '{target}' are no label that the model knows, and count as none"
        if self.labels is not None:
            yield from self.labels.notes(rows, truths)
        elif not truths:
            yield "no labels have come yet"


def _seconds(values: pd.Series[Any]) -> np.ndarray:
    stamps = values.astype("datetime64[us]").astype("int64").to_numpy() / 1e6
    return np.where(values.isna(), np.nan, stamps)
