"""Sensor rows as windows of time, one row a device and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field

from leaflab.errors import ConfigError, DataError
from leaflab.option import option
from leaflab.prepare.default import Default

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.prepare.base import Prepared
    from leaflab.values import Roles

__all__ = ["Windows"]

Aggregate = Literal["mean", "min", "max", "slope", "last", "count"]


@option
class Windows(Default):
    """The default preparation of windows instead of rows.

    Rows go by the time of their event, in whatever order they arrived. A number becomes one column an aggregate
    (`CO2 mean`; the slope in units an hour, by least squares), a text its last value; a window without rows is absent.
    Lags hold a device's value of so many windows before, so that nothing looks ahead. The target is the last value of
    its window, or of the one `horizon` windows later.

    Args:
        every: length of a window (`10min`, `1h`).
        device: columns that tell devices apart; those that the table lacks count for nothing.
        aggregates: what a number becomes.
        lags: how many windows back.
        horizon: how many windows ahead the target is.
    """

    every: str = "10min"
    device: list[str] = Field(default_factory=lambda: ["topic"])
    aggregates: list[Aggregate] = Field(default_factory=lambda: list(get_args(Aggregate)))
    lags: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    horizon: Annotated[int, Field(ge=0)] = 0

    def clean(self, raw: pa.Table, roles: Roles, aside: Sequence[str] = ()) -> Prepared:
        import pyarrow as pa

        time, rows = self._time(raw, roles), raw.num_rows
        left_out = [name for name in roles.dropped if name in raw.column_names and name not in self.device]
        frame = self._windows(raw.drop_columns(left_out).to_pandas(), time, roles.goal)
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        still = [name for name in roles.dropped if name not in left_out]
        prepared = super().clean(table, roles.resolved(time=time, drop=still), aside)
        note = f"{rows:,} rows became {table.num_rows:,} windows of {self.every}"
        return _noted(prepared, note)

    def _time(self, raw: pa.Table, roles: Roles) -> str:
        time = roles.time or "timestamp"
        if time not in raw.column_names:
            raise DataError(
                f"column {time!r}", "is not in the table", hint="set dataset.time to the time of the events"
            )
        return time

    def _windows(self, frame: pd.DataFrame, time: str, target: str) -> pd.DataFrame:
        import pandas as pd

        frame = frame.assign(**{time: _times(frame[time])}).dropna(subset=[time]).sort_values(time, kind="stable")
        device = [name for name in self.device if name in frame.columns]
        try:
            start = frame[time].dt.floor(self.every)
        except ValueError as error:
            raise ConfigError(
                "`prepare.every`", "must be a length of time such as 10min or 1h", got=self.every
            ) from error
        grouped = frame.groupby([*(frame[name] for name in device), start], sort=True, dropna=False)
        values = [name for name in frame.columns if name not in (*device, time, target)]
        parts = [part for name in values for part in self._aggregated(frame, grouped, name, time)]
        if "count" in self.aggregates:
            parts.append(grouped.size().rename("count"))
        made = pd.concat(parts, axis=1)
        features = list(made.columns)
        whole = made if target not in frame.columns else made.assign(**{target: grouped[target].last()})
        return self._shifted(whole.reset_index(), features, device, time, target)

    def _aggregated(self, frame: pd.DataFrame, grouped: Any, name: str, time: str) -> list[pd.Series[Any]]:
        import pandas as pd

        if not (pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_bool_dtype(frame[name])):
            return [grouped[name].last()]
        numbers = grouped[name]
        simple = [a for a in self.aggregates if a not in ("slope", "count")]
        found = [getattr(numbers, a)().rename(f"{name} {a}") for a in simple]
        if "slope" in self.aggregates:
            found.append(_slope(frame, grouped, name, time))
        return found

    def _shifted(
        self, made: pd.DataFrame, features: list[str], device: list[str], time: str, target: str
    ) -> pd.DataFrame:
        """Lags of the features, and the target of a later window; by time, so that a gap gives missing values."""
        import pandas as pd

        step, keys = pd.Timedelta(self.every), [*device, time]
        lagged = [name for name in features if pd.api.types.is_numeric_dtype(made[name]) and name != "count"]
        for lag in self.lags:
            past = made[[*keys, *lagged]].rename(columns={name: f"{name} {lag} before" for name in lagged})
            made = made.merge(past.assign(**{time: past[time] + lag * step}), on=keys, how="left")
        if self.horizon and target in made.columns:
            later = made[[*keys, target]].assign(**{time: made[time] - self.horizon * step})
            made = made.drop(columns=target).merge(later, on=keys, how="left")
        return made.sort_values(keys[::-1], kind="stable", ignore_index=True)


def _times(values: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    times = pd.to_datetime(values, errors="coerce", utc=True, format=None if values.dtype.kind == "M" else "mixed")
    return times.dt.tz_localize(None).astype("datetime64[us]")


def _slope(frame: pd.DataFrame, grouped: Any, name: str, time: str) -> pd.Series[Any]:
    """Least squares slope in units an hour; missing where all rows of a window share one time."""
    import numpy as np

    value = frame[name].astype("float64")
    hours = (frame[time] - frame[time].min()).dt.total_seconds() / 3600
    hours = hours.where(value.notna())
    keys = [frame[key] if isinstance(key, str) else key for key in grouped.keys]
    x, y = (v - v.groupby(keys, dropna=False).transform("mean") for v in (hours, value))
    top, bottom = ((part).groupby(keys, dropna=False).sum(min_count=1) for part in (x * y, x * x))
    return (top / bottom.replace(0.0, np.nan)).rename(f"{name} slope")


def _noted(prepared: Prepared, note: str) -> Prepared:
    from dataclasses import replace

    return replace(prepared, notes=(note, *prepared.notes))
