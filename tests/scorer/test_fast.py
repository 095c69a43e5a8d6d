"""The fast path answers bit for bit as the batch path does."""

from __future__ import annotations

import string

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaflab.scorer import BadTable, Column, Encoder, Feature, Scorer
from leaflab.scorer.fast import Fast
from leaflab.scorer.predictor import Boosters, Constant, Linear

DATES = {"levels": [15706, 15707, 15710], "values": [1, 2, 0]}
PARTS = ("epoch_days", "month", "day", "dayofweek", "hour", "minute")
COLUMNS = (
    Column("n", "number", missing=("na", "-9")),
    Column("euro", "number", missing=("-",), decimal=",", thousands=".", scale=0.5),
    Column("flag", "boolean", missing=("unknown",), words={"ja": True}),
    Column("town", "category", missing=("?",), replace={"paris": "Paris"}),
    Column("day", "time"),
    Column("code", "time", format="%Y%m%d", required=False),
)
FEATURES = (
    *(Feature(name, name, "number") for name in ("n", "euro", "flag")),
    Feature("town", "town", "codes", {"levels": ["Paris", "Rome", "1"]}, categorical=True),
    Feature("town is Rome", "town", "level", {"level": "Rome"}),
    Feature("mean of town", "town", "mean", {"levels": ["Paris", "1"], "values": [0.25, 0.5], "default": 0.4}),
    Feature("hash of town", "town", "hash", {"buckets": 16}),
    *(Feature(f"word {k} of town", "town", "word", {"of": 4, "bucket": k}) for k in range(4)),
    Feature("no town", "town", "missing"),
    Feature("no n", "n", "missing"),
    Feature("scaled n", "n", "scaled", {"fill": 1.5, "center": 0.1, "scale": 3.0}),
    Feature("rank of euro", "euro", "scaled", {"quantiles": [-1.0, 0.0, 5.0], "references": [0.0, 0.5, 1.0]}),
    *(Feature(f"n {op} euro", "n", op, {"other": "euro"}) for op in ("ratio", "product", "sum", "difference")),
    Feature("cycle of day", "day", "cycle", {"part": "hour", "period": 24, "axis": "sin"}),
    *(Feature(f"{part} of day", "day", "part", {"part": part}) for part in PARTS),
    Feature("epoch_days of code", "code", "part", {"part": "epoch_days"}),
    Feature("euro by n", "euro", "usual", {"of": 1, "by": 0, "levels": [-1, 2], "values": [3, 0.5], "default": 2}),
    Feature("euro by town", "euro", "usual", {"of": 1, "by": 3, "levels": [0, 2], "values": [8, 9], "default": 0.1}),
    Feature("n less town's", "n", "beyond", {"of": 0, "by": 3, "levels": [0, 2], "values": [0.5, 0.1], "default": 0}),
    Feature("date of day", "day", "coded", {"by": 20, "whole": True, **DATES}, categorical=True),
    Feature("n as a category", "n", "coded", {"by": 0, "levels": [-1, 0, 2], "values": [2, 0, 1]}, categorical=True),
)


def boosters(classes: int, width: int, members: int = 1) -> Boosters:
    rng = np.random.default_rng(classes)
    matrix = rng.normal(size=(400, width))
    objective = {1: "regression", 2: "binary"}.get(classes, "multiclass")
    target = matrix[:, 0] if classes == 1 else rng.integers(0, classes, 400)
    params = {"objective": objective, "verbosity": -1, "num_threads": 1, "num_leaves": 7}
    params |= {"num_class": classes} if classes > 2 else {}
    texts = []
    for seed in range(members):
        data = lightgbm.Dataset(matrix, target, free_raw_data=False)
        texts.append(
            lightgbm.train(
                params | {"seed": seed, "bagging_fraction": 0.5, "bagging_freq": 1}, data, 5
            ).model_to_string()
        )
    return Boosters(texts)


def scorer(predictor=None, classes=("no", "yes"), task="binary") -> Scorer:
    return Scorer(task, classes, COLUMNS, Encoder(FEATURES), predictor or boosters(2, len(FEATURES), 3))


LINEAR = Linear(tuple({"mean": 0.0, "scale": 1.0} for _ in FEATURES), ((0.1,) * len(FEATURES),), (0.5,), "logistic")
SCORER = scorer()
FAST = Fast(SCORER)

words = st.text(string.ascii_letters + string.digits + " .,-+:éß\u00a0\u2003", max_size=12)
numbers = st.none() | st.integers(-(10**18), 10**18) | st.floats(allow_infinity=False) | st.booleans()
numerals = st.floats(allow_nan=False, allow_infinity=False).map(str) | st.integers(-(10**20), 10**20).map(str)
moments = st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")).map(str)
ROWS = st.fixed_dictionaries(
    {
        "n": numbers | numerals | st.sampled_from(["na", " NA ", "-9", "-9.0", -9, -9.0, "1e3", "0x1"]),
        "euro": numbers | st.sampled_from(["1.234,5", "-", "12,25", "abc", " 7 "]),
        "flag": st.none() | st.booleans() | st.sampled_from(["Ja", "yes", "UNKNOWN", "0", 1, 0, 1.0, 0.5, "maybe"]),
        "town": st.none() | words | st.sampled_from(["Paris", "paris", " Rome ", 1, 1.0, 1.5, True, "?", float("nan")]),
        "day": st.none() | moments | words | st.sampled_from(["2013-01-01T05:00Z", "2013-01-01 05:00+02:00", 5]),
        "code": st.none() | st.sampled_from(["20240131", 20240131, 20240131.0, "20241331"]),
    }
)  # fmt: skip


def outcome(call) -> tuple:
    try:
        return "answer", call().tobytes()
    except BadTable as error:
        return "refusal", error.columns, error.row


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_a_row_scores_as_it_does_in_a_frame(row):
    values = {name: [value] for name, value in row.items()}
    assert outcome(lambda: FAST.score(values, 1)) == outcome(lambda: SCORER.score(pd.DataFrame(values)))


def table(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    days = pd.date_range("2013-01-01", periods=rows, freq="7h").astype(str)
    return pd.DataFrame(
        {
            "n": rng.normal(size=rows), "euro": rng.normal(size=rows), "flag": rng.random(rows) > 0.5,
            "town": rng.choice(["Paris", "Rome", "Oslo"], rows), "day": days, "code": ["20240131"] * rows,
        }
    )  # fmt: skip


@pytest.mark.parametrize("rows", [1, 2, 8, 9, 500])
@pytest.mark.parametrize(
    ("task", "classes", "predictor"),
    [
        ("binary", ("no", "yes"), boosters(2, len(FEATURES), 3)),
        ("multiclass", ("a", "b", "c"), boosters(3, len(FEATURES), 2)),
        ("regression", (), boosters(1, len(FEATURES), 2)),
        ("binary", ("no", "yes"), Constant((0.25, 0.75))),
        ("binary", ("no", "yes"), LINEAR),
    ],
)  # fmt: skip
def test_many_rows_and_every_kind_of_model(rows, task, classes, predictor):
    model, frame = scorer(predictor, classes, task), table(rows)
    values = {name: frame[name].tolist() for name in frame}
    assert (Fast(model).score(values, rows) == model.score(frame)).all()


def test_an_operation_it_does_not_know_is_left_to_the_encoder(monkeypatch):
    from leaflab.scorer import encoder

    def length(values, state):
        return values.str.len().to_numpy(dtype="float64", na_value=np.nan)

    monkeypatch.setitem(encoder.OPS, "length", length)
    monkeypatch.setitem(encoder.OPS, "twice", lambda values, state: values.to_numpy() * 2)
    features = (
        Feature("l", "town", "length"),
        Feature("t", "n", "twice"),
        Feature("y", "day", "part", {"part": "year"}),
    )
    model = Scorer("binary", ("no", "yes"), COLUMNS, Encoder(features), boosters(2, 3))
    frame = table(20)
    assert (Fast(model).score({n: frame[n].tolist() for n in frame}, 20) == model.score(frame)).all()


def test_a_missing_column_and_a_nested_value_are_named():
    values = {name: [None] for name in ("euro", "flag", "town", "day")}
    with pytest.raises(BadTable, match="missing column: 'n'"):
        FAST.score(values, 1)
    with pytest.raises(BadTable, match="column 'town' must hold text, got \\[1\\] in row 0"):
        FAST.score(values | {"n": [1], "town": [[1]]}, 1)


def test_half_a_character_is_refused():
    values = {name: ["x", "\ud800"] for name in ("town",)} | {
        name: [None, None] for name in ("n", "euro", "flag", "day")
    }
    with pytest.raises(BadTable, match="column 'town' must hold text") as caught:
        FAST.score(values, 2)
    assert caught.value.row == 1


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 10**400, "inf"])
def test_what_is_not_finite_is_refused(value):
    values = {name: [None, None] for name in ("euro", "flag", "town", "day")} | {"n": [1, value]}
    with pytest.raises(BadTable, match="column 'n' must hold finite numbers") as caught:
        FAST.score(values, 2)
    assert (caught.value.columns, caught.value.row) == (("n",), 1)


def test_what_it_remembers_is_bounded(monkeypatch):
    from leaflab.scorer import fast, fastencoder

    for module in (fast, fastencoder):
        monkeypatch.setattr(module, "REMEMBERED", 10)
    model = Fast(SCORER)
    for i in range(100):
        model.score({"n": [str(i)], "euro": [1], "flag": [True], "town": [f"t{i}"], "day": [None]}, 1)
    assert max(len(memo) for memo in (*model._memos.values(), *model._encoder.memos.values())) <= 12
