"""Which pairs of columns become features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leaflab.model.candidates import Candidates, candidates
from leaflab.model.encoding import fit_encoder
from leaflab.model.pairing import telling_features
from leaflab.model.screening import Screen
from leaflab.scorer import Column, typed
from leaflab.scorer.encoder import PAIRS, Encoder, Feature
from leaflab.values import Dataset, Roles

COLUMNS = (*(Column(name, "number") for name in "abcd"), Column("few", "number"), Column("kind", "category"))


def rows(task="binary", count=3000, alone=False):
    """A target that the distance of two columns tells, or, `alone`, one column by itself."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(count, 4)), columns=list("abcd"))
    frame["few"], frame["kind"] = random.integers(0, 3, count), random.choice(["x", "y"], count)
    gap = np.abs(frame["a"] if alone else frame["a"] - frame["b"]) - 1 + random.normal(size=count) / 4
    frame["y"] = {"binary": (gap > 0).astype(int), "regression": gap, "multiclass": np.digitize(gap, [-0.5, 0.5])}[task]
    return frame


def dataset(task):
    classes = {"binary": (0, 1), "regression": (), "multiclass": (0, 1, 2)}[task]
    return Dataset("d", task, Roles(target="y"), classes, COLUMNS, {"train": pa.table({})}, {})


def chosen(task="binary", count=3000, most=3, alone=False, **changes):
    made, raw = replace(dataset(task), **changes), rows(task, count, alone)
    frame = typed(raw, COLUMNS).assign(y=raw["y"])
    return telling_features(made, fit_encoder(made, frame), frame, most)[1], frame


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_the_pair_that_tells_is_among_the_first(task):
    pairs, frame = chosen(task)
    assert len(pairs) <= 3
    gaps = [f for f in pairs if f.name in ("a - b", "b - a")]
    assert not any({"few", "kind"} & {f.column, f.state.get("other")} for f in pairs if f.op in PAIRS)
    gap = Encoder((*gaps,)).encode(frame)[:, 0]
    np.testing.assert_allclose(np.abs(gap), np.abs(frame["a"] - frame["b"]))


def test_the_same_rows_give_the_same_pairs():
    assert chosen()[0] == chosen()[0]


@pytest.mark.parametrize("how", [{"most": 0}, {"count": 1999}, {"monotone": {"c": 1}}, {"classes": tuple(range(31))}])
def test_there_are_none_where_they_would_do_harm(how):
    assert chosen(**how)[0] == ()


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_there_are_none_where_they_do_not_pay_on_rows_that_they_were_not_chosen_on(task):
    assert chosen(task, alone=True)[0] == ()


def test_a_table_of_one_number_has_none():
    one = (COLUMNS[0], COLUMNS[-1])
    assert chosen(columns=one)[0] == ()


def test_many_pairs_that_tell_the_same_do_not_crowd_each_other_out():
    random, count = np.random.default_rng(0), 4000
    strong, weak = random.normal(size=count), random.normal(size=(count, 4))
    target = strong + 0.45 * weak.sum(axis=1) + random.normal(size=count) / 2
    alike = strong[:, None] + random.normal(size=(count, 24)) * 0.4
    screen = Screen(1, [], random.normal(size=(count, 1)), np.hstack([weak, alike]), target, np.full(count, True))
    first, *_ = screen.best(4, among=28)
    assert first >= weak.shape[1]  # each of them gains less than a weak one


def test_pairs_of_numbers_are_offered_alone_where_groups_spoil_them():
    """Six keys tell nothing, and the means of their groups are many."""
    random, count = np.random.default_rng(4), 2500
    frame = pd.DataFrame({name: random.normal(size=count) for name in ("a", "b")})
    for key in range(6):
        frame[f"key{key}"] = random.integers(0, 60, count).astype(float)
    gap = frame["a"] - frame["b"]
    frame["y"] = (0.4 * np.sign(gap) * (gap.abs() < 0.6) + random.normal(size=count) > 0).astype(int)
    columns = tuple(Column(name, "number") for name in frame.columns.drop("y"))
    made = replace(dataset("binary"), columns=columns)
    table = typed(frame, columns).assign(y=frame["y"])
    _, pairs = telling_features(made, fit_encoder(made, table), table, 24)
    assert pairs
    assert {pair.op for pair in pairs} <= set(PAIRS)


TIMES = {"date": "time", "moment": "time"}


def moments(day, kind, random):
    """Dates, or moments of these days."""
    seconds = random.integers(0, 86_400, len(day)) if kind == "moment" else np.zeros(len(day))
    return pd.Timestamp(2024, 1, 1) + pd.to_timedelta(day, unit="D") + pd.to_timedelta(seconds, unit="s")


def daily(kind, count=6000, before=0, **roles):
    """A table whose target is whether a price is above its day's, or that of so many days before; the days are words,
    numbers, dates or moments."""
    random = np.random.default_rng(0)
    day = np.sort(random.integers(0, 150, count))
    days = {"category": np.char.add("d", day.astype(str)), "number": day / 4}.get(kind, moments(day, kind, random))
    apart = 1 if before else 50
    frame = pd.DataFrame({"price": apart * random.normal(size=150)[day] + random.normal(size=count)})
    frame["day"] = days
    frame["noise"] = random.normal(size=count)
    means = frame.groupby(day)["price"].mean()
    mean = means.shift(before).fillna(frame["price"].mean()).loc[day].reset_index(drop=True)
    frame["y"] = (frame["price"] > mean).astype(int)
    columns = (Column("price", "number"), Column("day", TIMES.get(kind, kind)), Column("noise", "number"))
    made = replace(dataset("binary"), columns=columns, roles=Roles(target="y", **roles))
    return made, typed(frame, columns).assign(y=frame["y"]), mean


@pytest.mark.parametrize("kind", ["category", "number", "date", "moment"])
def test_a_row_is_compared_with_those_that_share_a_key(kind):
    made, table, mean = daily(kind)
    encoder = fit_encoder(made, table)
    first, *_ = telling_features(made, encoder, table, 4)[1]
    assert first.name == f"price less its mean by {'date of ' * (kind in TIMES)}day"
    plain = json.dumps(Encoder((*encoder.features, first)).to_json())
    gap = Encoder.from_json(json.loads(plain)).encode(table)[:, -1]
    np.testing.assert_allclose(gap, table["price"] - mean, atol=1e-9)


@pytest.mark.parametrize("kind", ["number", "date", "moment"])
@pytest.mark.parametrize(("before", "which"), [(1, "before"), (-1, "after")])
def test_of_a_day_that_is_a_name_the_day_beside_it_is_asked_too(kind, before, which):
    made, table, mean = daily(kind, before=before)
    encoder = fit_encoder(made, table)
    names, (first, *_) = telling_features(made, encoder, table, 4)
    assert first.name == f"price less its mean by the {'date of ' * (kind in TIMES)}day {which}"
    plain = json.dumps(Encoder((*encoder.features, *names, first)).to_json())
    gap = Encoder.from_json(json.loads(plain)).encode(table)[:, -1]
    np.testing.assert_allclose(gap, table["price"] - mean, atol=1e-9)


@pytest.mark.parametrize("kind", ["category", "number"])
def test_of_a_key_that_is_no_name_no_value_beside_it_is_asked(kind):
    made, table, _ = daily(kind)
    names, pairs = telling_features(made, fit_encoder(made, table), table, 200)
    assert names == ()
    assert len(pairs) > 4
    assert not any(f.name.endswith((" before", " after")) for f in pairs)


@pytest.mark.parametrize(
    ("kind", "role"), [("date", "time"), ("moment", "time"), ("category", "group"), ("number", "group")]
)
def test_a_key_that_later_rows_will_not_share_is_of_no_use(kind, role):
    """Days to come, and groups to come, have no rows to be compared with yet."""
    made, table, _ = daily(kind, count=16_000, **{role: "day"})  # more than are sampled
    assert telling_features(made, fit_encoder(made, table), table, 4) == ((), ())


def coded(task, kind="number", count=6000, codes=120, noise=0.0, **roles):
    """A table whose codes, numbers or days, stand for something, beside an amount and noise."""
    random = np.random.default_rng(0)
    code = np.sort(random.integers(0, codes, count))
    frame = pd.DataFrame({"amount": random.normal(size=count), "noise": random.normal(size=count)})
    frame["code"] = moments(code, kind, random) if kind in TIMES else code / 2
    told = frame["amount"] + random.normal(size=codes)[code] + 0.3 * frame["noise"] + noise * random.normal(size=count)
    cut = {"binary": [0], "multiclass": [-0.5, 0.5]}.get(task)
    frame["y"] = np.digitize(told, cut) if cut else told
    columns = (Column("amount", "number"), Column("code", TIMES.get(kind, kind)), Column("noise", "number"))
    made = replace(dataset(task), columns=columns, roles=Roles(target="y", **roles))
    return made, typed(frame, columns).assign(y=frame["y"])


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
@pytest.mark.parametrize("kind", ["number", "date", "moment"])
def test_a_number_that_is_a_name_becomes_a_category(task, kind):
    made, table = coded(task, kind)
    encoder = fit_encoder(made, table)
    (name,), pairs = telling_features(made, encoder, table, 4)
    assert name.name == f"{'date of ' * (kind in TIMES)}code as a category"
    codes = Encoder((*encoder.features, name)).encode(table)[:, -1]
    assert sorted(set(codes)) == list(range(120))
    assert {f.op for f in pairs}.isdisjoint({"coded"})


def test_a_name_that_small_boosters_do_not_confirm_is_offered_with_the_pairs():
    """Twelve rows a code share little."""
    made, table = coded("regression", codes=500, noise=4)
    sure, offered = telling_features(made, fit_encoder(made, table), table, 4)
    assert sure == ()
    assert offered[-1].name == "code as a category"


@pytest.mark.parametrize(("kind", "role"), [("date", "time"), ("moment", "time"), ("number", "group")])
def test_a_name_that_later_rows_will_not_share_is_none(kind, role):
    made, table = coded("regression", kind, **{role: "code"})
    sure, offered = telling_features(made, fit_encoder(made, table), table, 4)
    assert not any(f.op == "coded" for f in (*sure, *offered))


def test_an_amount_is_no_name():
    """Many rows share its values, and what it tells is a curve."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.integers(18, 90, 6000), "noise": random.normal(size=6000)})
    frame["y"] = np.sin(frame["age"] / 8) + 0.5 * random.normal(size=6000)
    columns = (Column("age", "number"), Column("noise", "number"))
    made = replace(dataset("regression"), columns=columns)
    table = typed(frame, columns).assign(y=frame["y"])
    sure, offered = telling_features(made, fit_encoder(made, table), table, 4)
    assert not any(f.op == "coded" for f in (*sure, *offered))


def test_a_name_is_looked_for_where_no_two_columns_make_a_pair():
    made, table = coded("regression")
    made = replace(made, columns=(made.columns[1],))
    (name,), pairs = telling_features(made, fit_encoder(made, table), table, 4)
    assert (name.column, pairs) == ("code", ())


def test_a_value_that_few_rows_share_is_no_key():
    random, number = np.random.default_rng(0), np.arange(6000)
    frame = pd.DataFrame({"price": random.normal(size=6000), "few": number // 29})
    frame["two"], frame["many"] = number % 2, number // 30
    encoder = Encoder(tuple(Feature(name, name, "number") for name in frame))
    made = candidates(dataset("binary"), encoder, frame, encoder.encode(frame[::3]), np.ones(4))
    assert list(made.keys) == [3]
    assert list(made.names) == [1, 3]  # a name needs fewer


def test_a_number_that_a_group_lacks_is_compared_with_that_of_all():
    frame = pd.DataFrame({"price": [1.0, 3.0, np.nan, 8.0, 99.0], "day": [0.0, 0.0, 1.0, np.nan, 0.0]})
    encoder = Encoder((Feature("price", "price", "number"), Feature("day", "day", "number")))
    price, day = encoder.encode(frame).T
    made, rows = Candidates(encoder, {0: price, 1: day}, {1: day}, {}), np.array([True, True, True, True, False])
    assert [f.name for f in made.features(rows)][-2:] == ["mean price by day", "price less its mean by day"]
    asked = pd.DataFrame({"price": [1.0, 1.0, 1.0, 1.0], "day": [0.0, 1.0, 7.0, np.nan]})
    found = Encoder(encoder.features + made.features(rows)).encode(asked)
    np.testing.assert_allclose(found[:, -2:], [[2, -1], [4, -3], [4, -3], [4, -3]])
