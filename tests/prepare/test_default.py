"""The default preparation on tables as they come."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.cleaning import _sketch
from leaflab.prepare.default import Default
from leaflab.scorer import typed
from leaflab.values import ROW_ID, Raw, Roles


def table(**columns):
    rows = max(len(v) for v in columns.values())
    return pa.table({"x": list(range(rows)), **columns})


def clean(raw, *, prepare=None, **roles):
    return (prepare or Default()).clean(raw, Roles(**{"target": "y", **roles}))


def labels(rows=12):
    return ["a", "b", "b"] * (rows // 3)


def test_every_row_is_accounted_for():
    raw = pa.table({"x": [1, 1, 2, 3, 4, 5, 6, 7], "y": ["a", "a", "b", None, "b", "a", "b", "a"]})
    prepared = clean(raw)
    assert prepared.facts["rows_in"] == 8
    assert prepared.facts["duplicates"] == 1
    assert prepared.facts["quarantined"] == {"target_null": 1}
    assert prepared.facts["rows_out"] == prepared.table.num_rows == 6
    assert [(q.line, q.rule) for q in prepared.quarantine] == [(3, "target_null")]


def test_markers_white_space_and_numbers_as_text():
    raw = table(
        y=labels(),
        city=[" Paris", "Paris ", "?", " ?", "NULL", "Rome"] * 2,
        price=["1,5", "20", " 3,25", "NA", "7", "8"] * 2,
        big=["1,234,567.5", "12", "1,000", "2,000,000", "5", "n/a"] * 2,
    )
    prepared = clean(raw)
    assert prepared.table["city"].to_pylist()[:6] == ["Paris", "Paris", None, None, None, "Rome"]
    assert prepared.table["price"].to_pylist()[:6] == [1.5, 20, 3.25, None, 7, 8]
    assert prepared.table["big"].to_pylist()[:6] == [1234567.5, 12, 1000, 2000000, 5, None]
    assert any("read as missing" in note for note in prepared.notes)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["5.00E+05", "20000", "3"], "number"),
        (["1,234", "5,678", "2,345"], "number"),
        (["007", "012", "113"], "category"),
        (["yes", "No", "YES"], "boolean"),
        (["no", "yes", "maybe"], "category"),
        (["18.00.00", "19.00.00", "20.00.00"], "category"),
        (["2020-01-31", "2020-02-29", "2021-12-01"], "time"),
        (["2020-01-31T10:00:00Z", "2020-02-29 11:30:00+02:00", "2021-12-01"], "time"),
        (["31/01/2020", "02/03/2020", "05/06/2021"], "time"),
        (["01/31/2020 10:00", "02/03/2020 11:30", "05/06/2021 12:45"], "time"),
        (["3 Jan 2020", "14 Feb 2021", "30 Dec 2019"], "time"),
    ],
)
def test_finds_what_a_text_column_is(texts, kind):
    prepared = clean(table(y=labels(), c=texts * 4))
    assert {c.name: c.kind for c in prepared.columns}["c"] == kind


def test_days_and_months_are_told_apart_by_a_number_above_twelve():
    prepared = clean(table(y=labels(), a=["31/01/2020", "02/03/2020"] * 6, b=["01/31/2020", "02/03/2020"] * 6))
    frame = prepared.table.select(["a", "b"]).to_pandas()
    assert list(frame["a"].dt.month[:2]) == [1, 3]
    assert list(frame["b"].dt.month[:2]) == [1, 2]


def test_ambiguous_dates_are_said():
    prepared = clean(table(y=labels(), a=["03/01/2020", "02/03/2020", "04/04/2020"] * 4))
    assert any("cannot be told apart" in note for note in prepared.notes)


def test_a_few_words_among_numbers_are_markers_and_stray_ones_quarantine():
    numbers = [str(n) for n in range(400)]
    prepared = clean(pa.table({"n": [*numbers[:390], *["missing"] * 10], "y": ["a", "b"] * 200}))
    assert prepared.columns[0].kind == "number"
    assert prepared.table["n"].null_count == 2
    assert prepared.facts["duplicates"] == 8
    strays = pa.table({"n": [*numbers[:396], "x1", "x2", "x3", "x4"], "y": ["a", "b"] * 200})
    prepared = clean(strays)
    assert prepared.facts["quarantined"] == {"unreadable": 4}


@pytest.mark.parametrize(
    "other",
    [["one", "two", "three", "four", "five", "six"], [f"w{n}" for n in range(40)]],
    ids=["words", "codes among fractions"],
)
def test_numbers_and_words_in_one_column_are_for_a_person_to_tell_apart(other):
    fine = 1 if other[0] == "one" else 1.5
    mixed = [str(n * fine) if n % 3 else other[n // 3 % len(other)] for n in range(120)]
    raw = pa.table({"x": mixed, "z": range(120), "y": [n % 2 for n in range(120)]})
    with pytest.raises(DataError, match=r"column 'x' must hold values of one kind, not 80 numbers .* 40 words"):
        Default().clean(raw, Roles(target="y"))
    assert Default(rules={"x": {"kind": "category"}}).clean(raw, Roles(target="y")).table.num_rows == 120
    with pytest.raises(DataError, match="at most 20%"):
        Default(rules={"x": {"kind": "number"}}).clean(raw, Roles(target="y"))
    proposed = Default(propose=True).proposal(Raw("t", 0, "", lambda: raw), Roles(target="y"))
    assert "# x: column 'x' must hold values of one kind" in proposed


def test_codes_of_digits_and_letters_are_one_kind():
    codes = [f"{85000 + n}" if n % 3 else f"{85000 + n}A" for n in range(120)]
    raw = pa.table({"x": codes * 4, "z": range(480), "y": [n % 2 for n in range(480)]})
    assert Default().clean(raw, Roles(target="y")).columns[0].kind == "category"


def test_columns_that_teach_nothing_are_left_out_and_said():
    raw = table(y=labels(60), same=["k"] * 60, none=pa.nulls(60), remark=[f"remark {n} on this" for n in range(60)])
    prepared = clean(raw)
    assert [c.name for c in prepared.columns] == ["x"]
    assert prepared.facts["unused"] == {"same": "constant", "none": "empty", "remark": "free text"}


def test_copies_are_left_out_whatever_their_kind():
    numbers = [0.0, None, *range(1, 59)]
    days = pa.array(range(60), pa.timestamp("us"))
    words = [f"w{n % 7}" for n in range(60)]
    raw = table(
        y=labels(60), a=numbers, b=[-0.0, *numbers[1:]], t=days, u=days, v=words, w=words, other=[*words[:-1], "w0"]
    )
    prepared = clean(raw)
    assert prepared.facts["unused"] == {"b": "a copy of 'a'", "u": "a copy of 't'", "w": "a copy of 'v'"}


def test_columns_that_only_begin_alike_are_told_apart_without_comparing_each_with_all():
    for usual, rare in [(0.0, 1.0), ("no", "yes"), (datetime(2026, 1, 1), datetime(2026, 1, 2))]:
        sparse = [pa.array([rare if row == one else usual for row in range(200)]) for one in range(100, 200)]
        assert len({_sketch(column) for column in sparse}) == 100


def test_any_column_name_will_do():
    names = ['a[b]{"c"}', "größe, in €", " ", "名前", "a:b/c"]
    raw = pa.table({n: list(range(i, i + 12)) for i, n in enumerate(names)} | {"y": labels()})
    prepared = clean(raw)
    assert [c.name for c in prepared.columns] == names


def test_serving_types_as_training_did():
    city, when = ["Paris", "rome ", "Rome", "ROME", "?", "x"], ["31/01/2020", "02/03/2020"]
    raw = table(y=labels(), city=city * 2, when=when * 6)
    prepared = clean(raw)
    served = typed(raw.to_pandas(), prepared.columns)
    trained = prepared.table.select([c.name for c in prepared.columns]).to_pandas()
    assert served.equals(trained.astype(served.dtypes))


def test_roles_are_kept_out_of_the_features():
    names = [f"id{n}" for n in range(12)]
    raw = table(y=labels(), w=[1.0] * 6 + [2.0] * 6, g=["p", "q", "r"] * 4, i=names, gone=range(12))
    prepared = clean(raw, weight="w", group="g", id="i", drop=["gone"])
    assert [c.name for c in prepared.columns] == ["x"]
    assert prepared.table.column_names == [ROW_ID, "x", "w", "g", "y"]
    assert prepared.table[ROW_ID].to_pylist()[:2] == ["id0", "id1"]


def test_row_ids_come_from_content():
    raw = table(y=labels(), c=["u", "v"] * 6)
    first = clean(raw).table[ROW_ID].to_pylist()
    assert clean(raw.take(list(range(11, -1, -1)))).table[ROW_ID].to_pylist() == first[::-1]


def test_rules_overrule_what_is_found():
    rules = {"c": {"kind": "category"}, "n": {"missing": [-200]}}
    prepared = clean(table(y=labels(), c=["1", "2"] * 6, n=[1, -200, 3] * 4), prepare=Default(rules=rules))
    assert prepared.table["c"].to_pylist()[:2] == ["1", "2"]
    assert prepared.table["n"].to_pylist()[:3] == [1, None, 3]


@pytest.mark.parametrize(
    ("columns", "roles", "words"),
    [
        ({"z": labels()}, {}, "must name a column"),
        ({"y": ["a"] * 12}, {}, "two different values"),
        ({"y": pa.nulls(12)}, {}, "holds no value"),
        ({"y": [f"l{n}" for n in range(12)]}, {}, "one row only"),
        ({"y": [*"aabbaabbaabc"]}, {}, "one row only of 'c'"),
        ({"y": labels(), "t": ["soon", "late", "now"] * 4}, {"time": "t"}, "must hold dates"),
        ({"y": labels(), "w": [-1.0, 1.0] * 6}, {"weight": "w"}, "negative"),
        ({"y": labels(), "n": [float("inf"), 1.0] * 6}, {}, "infinite"),
        ({"y": labels(), "n": [1.7e308, 1.0] * 6}, {}, r"must hold numbers up to 1e\+100, got '1.7e\+308': say that"),
        ({"y": labels(), "n": ["1.7e308", "1.0"] * 6}, {}, r"missing: \[1.7e308\]"),
        ({"y": labels(), "n": [[1], [2]] * 6}, {}, "must hold numbers"),
        ({"y": labels()}, {"task": "regression"}, "must hold numbers"),
        ({"y": labels()}, {"drop": ["x"]}, "at least one feature"),
        ({"y": [None, *labels()[:2]] * 4, "t": [None, "2020-01-01", "2020-01-02"] * 4}, {"group": "nope"}, "must name"),
    ],
)
def test_bad_input_is_one_sentence(columns, roles, words):
    with pytest.raises((DataError, ConfigError), match=words):
        clean(table(**columns), **roles)


def test_the_way_out_for_numbers_without_end_works():
    rules = {"n": {"missing": [1.7e308]}}
    prepared = clean(table(y=labels(), n=[1.7e308, 1.0, 2.0] * 4), prepare=Default(rules=rules))
    assert prepared.table["n"].to_pylist()[:3] == [None, 1.0, 2.0]


def test_a_broken_feed_is_refused_not_cleaned():
    raw = table(y=labels(300), t=["2020-01-01"] * 200 + [None] * 100)
    with pytest.raises(DataError, match="20%"):
        clean(raw, time="t")


def test_all_rows_without_target_but_few():
    raw = table(y=[*labels(9), None, None, None])
    assert clean(raw).facts["quarantined"] == {"target_null": 3}


def test_adult_as_it_comes(shared_data):
    prepared = Default().clean(pq.read_table(shared_data / "adult.parquet"), Roles(target="income", drop=["split"]))
    assert prepared.classes == ("<=50K", ">50K")
    assert prepared.facts["rows_in"] == 48842
    assert prepared.table["workclass"].null_count > 2700
    assert any("end with a dot" in note for note in prepared.notes)


def test_air_quality_as_it_comes(shared_data):
    raw = pq.read_table(shared_data / "air_quality_uci.parquet")
    prepared = Default(missing=[-200]).clean(raw, Roles(target="CO(GT)"))
    kinds = {c.name: c.kind for c in prepared.columns}
    assert kinds["Date"] == "time"
    assert kinds["AH"] == "number"
    assert prepared.table.num_rows == 9357 - 1683
    assert prepared.table["NMHC(GT)"].null_count > 6000


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"monotone": {"kind": 1}}, "must name numeric feature columns"),
        ({"pairs": {"p": ["x", "sum", "nowhere"]}}, "must join two numeric feature columns"),
        ({"aggregates": {"a": ["kind", "mean", "x"]}}, "must read"),
    ],
)
def test_features_that_cannot_be_made_are_told_at_once(features, words):
    raw = table(x=list(range(12)), kind=["a", "b"] * 6, y=labels())
    with pytest.raises(ConfigError, match=words):
        clean(raw, prepare=Default(features=features))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "time", "format": "%Q"}, "must be a strptime format"),
        ({"scale": "half"}, "has a value of another kind"),
        ({"replace": "x"}, "has a value of another kind"),
    ],
)
def test_rules_that_make_no_sense_are_one_sentence(rule, words):
    with pytest.raises(ConfigError, match=words):
        clean(table(w=["2020-01-01"] * 12, y=labels()), prepare=Default(rules={"w": rule}))


def test_the_name_of_row_ids_is_taken():
    raw = table(row_id=list(range(100, 112)), y=labels())
    with pytest.raises(DataError, match=r"dataset\.id=row_id"):
        clean(raw)
    assert clean(raw, id="row_id").table[ROW_ID].to_pylist()[0] == "100"
    assert clean(raw, drop="row_id").table.column_names.count(ROW_ID) == 1
