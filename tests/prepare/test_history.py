"""Lags and windows of any table: by time, a series at a time, and nothing looks ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.errors import ConfigError
from leaflab.prepare.default import Default
from leaflab.prepare.history import History
from leaflab.values import Roles

ROLES = Roles(target="y", time="day")


def sales(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2024-01-01", periods=rows // 2).repeat(2),
            "shop": ["a", "b"] * (rows // 2),
            "sold": rng.integers(0, 100, rows).astype(float),
            "y": rng.normal(size=rows),
        }
    )
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def added(frame, **keys):
    history = History(columns=["sold"], **keys)
    return history.added(pa.Table.from_pandas(frame, preserve_index=False), ROLES, (), {}).to_pandas()


def test_lags_and_windows_are_those_of_a_plain_loop():
    frame = sales()
    made = added(frame, lags=[1, 3], windows=[4, "3 days"], statistics=["mean", "max"], by=["shop"])
    for _, row in made.iterrows():
        past = frame[(frame.shop == row.shop) & (frame.day < row.day)].sort_values("day")
        for lag in (1, 3):
            want = past.sold.iloc[-lag] if len(past) >= lag else np.nan
            np.testing.assert_equal(row[f"sold {lag} before"], want)
        near = past[past.day >= row.day - pd.Timedelta("3 days")]
        for word, rows in (("4", past.tail(4)), ("3 days", near)):
            got = [row[f"sold {how} of {word} before"] for how in ("mean", "max")]
            want = [rows.sold.mean(), rows.sold.max()] if len(rows) else [np.nan, np.nan]
            np.testing.assert_allclose(got, want)


def test_nothing_looks_ahead_nor_aside():
    frame, keys = sales(), {"lags": [1], "windows": [3, "5 days"], "statistics": ["mean", "std", "count"]}
    before = added(frame, **keys)
    later = frame.day >= "2024-01-15"
    changed = frame.assign(sold=frame.sold.where(~later, 1e6))
    after = added(changed, **keys)
    new = [n for n in before.columns if n.endswith("before")]
    unmoved = (frame.day <= "2024-01-15").to_numpy()
    pd.testing.assert_frame_equal(before.loc[unmoved, new], after.loc[unmoved, new])
    assert not before.loc[~unmoved, new].equals(after.loc[~unmoved, new])


def test_a_dataset_has_them_as_columns():
    table = pa.Table.from_pandas(sales(), preserve_index=False)
    history = {"columns": ["sold", "y"], "lags": [1], "by": ["shop"]}
    prepared = Default(features={"history": history}).clean(table, ROLES)
    kinds = {c.name: (c.kind, c.required) for c in prepared.columns}
    assert kinds["sold 1 before"] == kinds["y 1 before"] == ("number", True)


@pytest.mark.parametrize(
    ("keys", "roles", "words"),
    [
        ({"lags": [1]}, Roles(target="y"), "needs a time column"),
        ({"columns": ["shop"], "lags": [1]}, ROLES, "must hold numbers"),
        ({"windows": ["a while"]}, ROLES, "must count moments"),
    ],
)
def test_what_is_wrong_is_one_sentence(keys, roles, words):
    with pytest.raises(ConfigError, match=words):
        Default(features={"history": {"columns": ["sold"], **keys}}).clean(
            pa.Table.from_pandas(sales(), preserve_index=False), roles
        )
