"""The current rows of a monitored model: read, typed, scored, joined with their truth, cut into windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError, DataError
from leaflab.serve.answers import joined_ids, named
from leaflab.values import ROW_ID
from leaflab.watch.look import Window
from leaflab.watch.policy import seconds_of
from leaflab.watch.scored import score

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["current_table", "windows"]

_log = logging.getLogger(__name__)


def current_table(lab: Lab) -> pa.Table:
    """The raw current rows: a file, a lake table (`raw/flights`, `raw/flights@3`), or the inference log.

    Raises:
        ConfigError: `current` is not set, or names neither a file nor a lake table.
        DataError: there are no rows.
    """
    wanted = lab.current
    if not wanted:
        hint = "name a file, a lake table or the log, as in current=new.csv or current=inferences"
        raise ConfigError("`current`", "is not set", hint=hint)
    if Path(wanted).exists():
        from leaflab.source.file import File

        table = File(path=wanted).read().table()
    else:
        name, _, version = (f"inference/{lab.name}" if wanted == "inferences" else wanted).partition("@")
        if name not in lab.lake.tables():
            what = (
                f"'{lab.name}' has no inference log yet"
                if wanted == "inferences"
                else "neither a file nor a lake table"
            )
            raise ConfigError("`current`", f"must name something to look at ({what})", got=wanted)
        table = _answered(lab, lab.lake.read(name, int(version) if version else None))
    if not table.num_rows:
        raise DataError(f"'{wanted}'", "holds no rows")
    return table


def _answered(lab: Lab, table: pa.Table) -> pa.Table:
    """Rows of the inference log that the watched alias answered; rows of any other table as they are."""
    import pyarrow.compute as pc

    if not {"alias", "request_id"} <= set(table.column_names):
        return table
    return table.filter(pc.equal(table["alias"], lab.monitor.alias))


@dataclass(frozen=True)
class _Read:
    """Current rows, typed; `bad` marks unreadable values, `absent` names columns that are not there."""

    frame: pd.DataFrame
    ids: np.ndarray
    truth: np.ndarray
    bad: dict[str, np.ndarray]
    absent: frozenset[str]
    times: np.ndarray | None = None
    delay: float | None = None
    notes: list[str] = field(default_factory=list)


def windows(lab: Lab, subject: Subject, raw: pa.Table) -> Iterator[Window]:
    """The current rows in time order, cut by `monitor.window`."""
    read = _read(lab, subject, raw)
    for note in read.notes:
        _log.info("  %s", note)
    order = np.arange(len(read.frame))
    if read.times is not None:
        order = np.argsort(np.nan_to_num(read.times, nan=-np.inf), kind="stable")
    for label, rows in _cut(lab.monitor.window, order, read.times):
        yield _window(subject, read, label or Path(lab.current or "").name, rows)


def _read(lab: Lab, subject: Subject, raw: pa.Table) -> _Read:
    from leaflab.scorer import parse

    scorer = subject.scorer
    table = _inputs(scorer, raw)
    columns: dict[str, pd.Series[Any]] = {}
    bad: dict[str, np.ndarray] = {}
    for column in scorer.columns:
        given = table.get(column.name)
        if given is None:
            given = table.iloc[:, 0] if table.shape[1] else None
            if given is None:
                raise DataError(f"'{lab.current}'", f"has none of the columns of {subject.label}")
            given = given.where(np.zeros(len(table), dtype=bool))
        columns[column.name], wrong = parse(given, column)
        if wrong.any():
            bad[column.name] = wrong
    import pandas as pd

    frame = pd.DataFrame(columns)
    absent = frozenset(c.name for c in scorer.columns) - set(table.columns)
    ids = _ids(subject, raw, frame)
    truth, delay, notes = _truth(lab, subject, raw, ids)
    return _Read(frame, ids, truth, bad, absent, _times(subject, frame, raw), delay, notes)


def _ids(subject: Subject, raw: pa.Table, frame: pd.DataFrame) -> np.ndarray:
    """Row ids: those of the log, those of the dataset's id columns, else made from content."""
    wanted = subject.dataset.roles.ids
    if ROW_ID in raw.column_names:
        return np.asarray(raw[ROW_ID].to_pandas().astype("str"))
    if wanted and set(wanted) <= set(raw.column_names):
        return np.asarray(joined_ids(raw, wanted), dtype="str")
    return np.asarray(named(subject.scorer, raw.combine_chunks().to_batches()[0], frame).to_pandas().astype("str"))


def _inputs(scorer: Scorer, raw: pa.Table) -> pd.DataFrame:
    """The model's columns of the raw table; in the log, an input whose name was taken is called `NAME (input)`."""
    logged = "request_id" in raw.column_names
    names = {c.name: f"{c.name} (input)" for c in scorer.columns if logged and f"{c.name} (input)" in raw.column_names}
    names |= {c.name: c.name for c in scorer.columns if c.name in raw.column_names and c.name not in names}
    return raw.select(list(names.values())).rename_columns(list(names)).to_pandas()


def _times(subject: Subject, frame: pd.DataFrame, raw: pa.Table) -> np.ndarray | None:
    """Seconds since the epoch, from the dataset's time column, or from the log's own `time`."""
    import pandas as pd

    name = subject.dataset.roles.time
    if name in frame.columns and frame[name].dtype.kind == "M":
        values = frame[name]
    elif name in raw.column_names or "time" in raw.column_names:
        given = raw[name if name in raw.column_names else "time"].to_pandas()
        if given.dtype.kind in "fiub":
            return None
        values = pd.to_datetime(given, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    else:
        return None
    stamps = values.astype("datetime64[us]").astype("int64").to_numpy() / 1e6
    return np.where(values.isna(), np.nan, stamps)


def _truth(lab: Lab, subject: Subject, raw: pa.Table, ids: np.ndarray) -> tuple[np.ndarray, float | None, list[str]]:
    """Class codes or values a row (NaN where no label has come), the median label delay, and what was odd."""
    dataset, target = subject.dataset, subject.dataset.target
    if target in raw.column_names:
        return _coded(dataset.classes, raw[target].to_pandas()), None, []
    name = f"truth/{lab.name}"
    if name not in lab.lake.tables():
        return np.full(len(ids), np.nan), None, ["no labels have come yet"]
    labels = lab.lake.read(name).to_pandas()
    column = target if target in labels else "truth"
    if ROW_ID not in labels or column not in labels:
        return np.full(len(ids), np.nan), None, [f"{name} needs the columns row_id and {target}: no labels are used"]
    keys = labels[ROW_ID].astype("str")
    notes = (
        [f"rows with more than one label, of which the latest counts: {twice:,}"]
        if (twice := int(keys.duplicated().sum()))
        else []
    )
    lost = int((~keys.isin(set(ids))).sum())
    notes += [f"labels that match no current row: {lost:,}"] if lost else []
    ordered = labels.assign(**{ROW_ID: keys})
    if "time" in labels:
        ordered = ordered.sort_values("time", kind="stable")
    latest = ordered.drop_duplicates(ROW_ID, keep="last").set_index(ROW_ID)[column]
    found = latest.reindex(ids)
    notes += [f"{int(found.notna().sum()):,} of {len(ids):,} rows have their label"]
    return _coded(dataset.classes, found), _delay(raw, labels, ids), notes


def _delay(raw: pa.Table, labels: pd.DataFrame, ids: np.ndarray) -> float | None:
    import pandas as pd

    if "time" not in raw.column_names or "time" not in labels:
        return None
    asked = pd.Series(pd.to_datetime(raw["time"].to_pandas(), utc=True).to_numpy(), index=ids)
    came = pd.Series(pd.to_datetime(labels["time"], utc=True).to_numpy(), index=labels[ROW_ID].astype("str"))
    waited = (came[~came.index.duplicated()] - asked[~asked.index.duplicated()]).dropna()
    return float(waited.dt.total_seconds().median()) if len(waited) else None


def _coded(classes: tuple[Any, ...], values: pd.Series[Any]) -> np.ndarray:
    import pandas as pd

    if not classes:
        return pd.to_numeric(values, errors="coerce").to_numpy("float64", na_value=np.nan)
    codes = {_word(label): float(code) for code, label in enumerate(classes)}
    return values.map(lambda v: codes.get(_word(v), np.nan), na_action="ignore").to_numpy("float64", na_value=np.nan)


def _word(label: Any) -> str:
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label).strip().casefold().removesuffix(".")


def _cut(how: str | int | None, order: np.ndarray, times: np.ndarray | None) -> Iterator[tuple[str, np.ndarray]]:
    if how is None:
        yield "", order
    elif str(how).isdigit():
        for start in range(0, len(order), int(how)):
            rows = order[start : start + int(how)]
            yield f"rows {start + 1:,}–{start + len(rows):,}", rows
    else:
        span = seconds_of("monitor.window", str(how)) or 1.0
        if times is None:
            hint = "cut by rows, as in monitor.window=2000"
            raise ConfigError("`monitor.window`", "needs a time column (dataset.time)", got=how, hint=hint)
        known = order[~np.isnan(times[order])]
        place = np.floor(times[known] / span).astype("int64")
        for one in np.unique(place):
            stamp = np.datetime64(int(one * span), "s")
            yield f"{stamp.astype('datetime64[m]' if span < 86400 else 'datetime64[D]')}", known[place == one]


def _window(subject: Subject, read: _Read, label: str, rows: np.ndarray) -> Window:
    import pyarrow as pa

    frame = read.frame.iloc[rows].reset_index(drop=True)
    kept = frame[[name for name in frame.columns if name not in read.absent]]
    times = read.times[rows] if read.times is not None else np.empty(0)
    return Window(
        label=label,
        table=pa.Table.from_pandas(kept, preserve_index=False),
        scored=score(subject.scorer, frame, read.truth[rows]),
        ids=read.ids[rows],
        bad={name: int(mask[rows].sum()) for name, mask in read.bad.items()},
        times=times if len(times) and not np.isnan(times).all() else None,
        delay=read.delay,
    )
