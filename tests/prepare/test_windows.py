"""Windows aggregate by the time of the event and never look ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.windows import Windows
from leaflab.values import Roles

ROLES = Roles(name="t", target="y", time="timestamp")


def sensors(rows: int = 600, devices: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frames = []
    for device in range(devices):
        minutes = np.arange(rows)
        frame = pd.DataFrame({"timestamp": pd.Timestamp("2020-01-01") + pd.to_timedelta(minutes, unit="min")})
        frame["topic"] = f"plant/{device}"
        frame["x"] = minutes * 0.5 + device
        frame["noise"] = rng.normal(size=rows)
        frame["mode"] = np.where(minutes % 20 < 10, "a", "b")
        frame["y"] = np.where(rng.random(rows) < 0.5, "yes", "no")
        frames.append(frame)
    return pd.concat(frames).sample(frac=1, random_state=0, ignore_index=True)


def windows(frame: pd.DataFrame, **keys) -> pd.DataFrame:
    return Windows(**keys)._windows(frame, "timestamp", "y")


def test_one_row_a_device_and_window() -> None:
    made = windows(sensors())
    assert len(made) == 2 * 60
    first = made[(made["topic"] == "plant/1") & (made["timestamp"] == pd.Timestamp("2020-01-01 00:10"))].iloc[0]
    assert (first["x min"], first["x max"], first["x last"], first["x mean"]) == (6.0, 10.5, 10.5, 8.25)
    assert first["x slope"] == pytest.approx(30.0)
    assert (first["mode"], first["count"]) == ("b", 10)


def test_the_order_of_arrival_does_not_matter() -> None:
    frame = sensors()
    pd.testing.assert_frame_equal(windows(frame, lags=[1]), windows(frame.sample(frac=1, random_state=5), lags=[1]))


def test_lags_look_back_by_time_and_a_gap_is_missing() -> None:
    frame = sensors(devices=1)
    frame = frame[~frame["timestamp"].between("2020-01-01 01:00", "2020-01-01 01:09:59")]
    made = windows(frame, lags=[1], aggregates=["mean"]).set_index("timestamp")
    assert made.loc["2020-01-01 00:20", "x mean 1 before"] == made.loc["2020-01-01 00:10", "x mean"]
    assert np.isnan(made.loc["2020-01-01 01:10", "x mean 1 before"])


def test_nothing_looks_ahead() -> None:
    frame = sensors()
    cut = pd.Timestamp("2020-01-01 05:00")
    changed = frame.assign(x=frame["x"].where(frame["timestamp"] < cut, -1e9), y=frame["y"])
    whole, other = (windows(f, lags=[1, 3]) for f in (frame, changed))
    before = whole["timestamp"] < cut
    pd.testing.assert_frame_equal(whole[before], other[before])


def test_the_target_may_be_that_of_a_later_window() -> None:
    frame = sensors(devices=1)
    now, later = windows(frame), windows(frame, horizon=1)
    assert later["y"].tolist()[:-1] == now["y"].tolist()[1:]
    assert pd.isna(later["y"].iloc[-1])


def test_a_dataset_comes_out_of_it() -> None:
    frame = sensors().assign(timestamp=lambda f: f["timestamp"].astype("str"))
    prepared = Windows(every="5min", lags=[1]).clean(pa.Table.from_pandas(frame), ROLES)
    assert prepared.table.num_rows == 240
    assert prepared.task == "binary"
    assert prepared.notes[0] == "1,200 rows became 240 windows of 5min"
    assert {"x mean", "x slope", "x mean 1 before", "mode"} <= {c.name for c in prepared.columns}


def test_what_is_wrong_is_one_sentence() -> None:
    table = pa.Table.from_pandas(sensors())
    with pytest.raises(ConfigError, match=r"`prepare.every` must be a length of time such as 10min or 1h, got 'soon'"):
        Windows(every="soon").clean(table, ROLES)
    with pytest.raises(DataError, match=r"column 'when' is not in the table"):
        Windows().clean(table, ROLES.resolved(time="when"))


def test_a_column_left_out_is_no_window_either() -> None:
    frame = sensors()
    roles = Roles(name="t", target="y", time="timestamp", drop=["noise", "topic"])
    prepared = Windows().clean(pa.Table.from_pandas(frame), roles)
    assert prepared.table.num_rows == 120
    assert not [c.name for c in prepared.columns if "noise" in c.name or c.name == "topic"]
