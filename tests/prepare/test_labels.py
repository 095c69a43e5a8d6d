"""Label errors: found where they were put, judged by people where people judged."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import datasets
from sklearn.metrics import average_precision_score

from leaflab.errors import ConfigError
from leaflab.prepare.default import Default
from leaflab.prepare.labels import LABEL_WEIGHT, consensus, find_issues, rank, review_file
from leaflab.split.auto import Auto
from leaflab.values import PARTS, ROW_ID, Dataset, Roles

pytest.importorskip("cleanlab")


def dataset(raw, target="y", **options):
    prepared = Default(**options).clean(raw, Roles(target=target))
    codes = Auto().assign(prepared, 0)
    parts = {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}
    return Dataset("d", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {})


def flipped(x, y, share=0.05, seed=0):
    """A table whose labels were changed on purpose, and the row numbers where."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[: int(share * len(y))]
    labels = np.unique(y)
    wrong = y.copy()
    wrong[rows] = labels[(np.searchsorted(labels, y[rows]) + rng.integers(1, len(labels), len(rows))) % len(labels)]
    table = pa.table(
        {f"x{n}": column for n, column in enumerate(x.T)} | {"nr": [f"n{n}" for n in range(len(y))], "y": wrong}
    )
    return table, {f"n{n}" for n in rows}


@pytest.fixture(scope="module")
def digits():
    bunch = datasets.load_digits()
    table, wrong = flipped(bunch.data[:900], bunch.target[:900])
    prepared = Default(near=0).clean(table, Roles(target="y", id="nr"))
    codes = Auto().assign(prepared, 0)
    parts = {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}
    made = Dataset("d", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {})
    return made, wrong, find_issues(made)


def test_labels_flipped_on_purpose_are_found(digits):
    made, wrong, issues = digits
    ids = np.array(made.parts["train"][ROW_ID].to_pylist())
    put = np.isin(ids, list(wrong))
    assert put[issues.wrong].sum() / put.sum() > 0.8
    assert put[issues.order[: put.sum()]].mean() > 0.8
    assert issues.rate == pytest.approx(put.mean(), abs=0.03)


def test_issues_are_reviewed_weighted_or_dropped(digits, monkeypatch):
    made, _, issues = digits
    monkeypatch.setattr("leaflab.prepare.labels.find_issues", lambda _: issues)
    review = Default(labels="confident_learning").adjust(made)
    assert review.parts == made.parts
    listed = review.facts["label_issues"]
    assert len(listed) == issues.wrong.sum()
    assert listed[0]["quality"] <= listed[-1]["quality"]
    dropped = Default(labels="confident_learning", label_action="drop").adjust(made)
    assert dropped.rows("train") == made.rows("train") - issues.wrong.sum()
    assert dropped.rows("test") == made.rows("test")
    weighted = Default(labels="confident_learning", label_action="weight").adjust(made)
    assert weighted.roles.weight == LABEL_WEIGHT
    assert (weighted.parts["train"][LABEL_WEIGHT].to_numpy() < 1).sum() <= issues.wrong.sum()
    assert set(weighted.parts["test"][LABEL_WEIGHT].to_pylist()) == {1.0}


def test_corrections_come_back(tmp_path):
    raw = pa.table({"x": range(40), "y": ["a", "b"] * 20})
    ids = Default().clean(raw, Roles(target="y")).table[ROW_ID].to_pylist()
    issues = [{ROW_ID: i, "given": "a", "suggested": "b", "quality": 0.1} for i in ids[:3]]
    rows = list(csv.DictReader(review_file(issues).splitlines()))
    for row, word in zip(rows, ["b", "drop", ""], strict=True):
        row["corrected"] = word
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    prepared = Default(corrections=str(tmp_path / "filled.csv")).clean(raw, Roles(target="y"))
    assert prepared.facts["quarantined"] == {"label_review": 1}
    assert prepared.table["y"].to_pylist()[:2] == ["b", "a"]
    assert prepared.table.num_rows == 39
    (tmp_path / "filled.csv").write_text(f"{ROW_ID},corrected\n{ids[0]},zebra\n")
    with pytest.raises(ConfigError, match="must hold labels"):
        Default(corrections=str(tmp_path / "filled.csv")).clean(raw, Roles(target="y"))


def test_several_annotators_make_one_target():
    raw = pa.table(
        {"x": range(8), "a": [1, 1, 0, 0, 1, 0, 1, 1], "b": [1, 0, 0, 0, 1, 0, 1, None], "c": [1, 0, 0, 1, 1, 0, 1, 0]}
    )
    table, agreement, kappa = consensus(raw, ["a", "b", "c"], "y")
    assert table["y"].to_pylist() == [1, 0, 0, 0, 1, 0, 1, None]
    assert agreement == pytest.approx(5 / 8)
    assert 0.3 < kappa < 0.7
    prepared = Default(annotators=["a", "b", "c"]).clean(raw, Roles(target="y"))
    assert [c.name for c in prepared.columns] == ["x"]
    assert prepared.facts["quarantined"] == {"target_null": 1}
    assert any("annotators agree on 62.5%" in note for note in prepared.notes)


def test_numbers_have_no_labels():
    raw = pa.table({"x": range(100), "y": [n * 7.5 for n in range(100)]})
    with pytest.raises(ConfigError, match="must fit the task"):
        find_issues(dataset(raw))


def test_people_agree_with_the_ranking(shared_data):
    frame = pq.read_table(shared_data / "labelerrors_mnist.parquet").to_pandas()
    proba = frame[[f"p{n}" for n in range(10)]].to_numpy("float64")
    issues = rank(frame["given_label"].to_numpy("int64"), proba / proba.sum(axis=1, keepdims=True))
    reviewed = frame["reviewed"].to_numpy()
    truth = frame["human_verdict_error"].to_numpy()[reviewed].astype(bool)
    assert average_precision_score(truth, -issues.quality[reviewed]) > 0.45


@pytest.mark.slow
def test_flipped_labels_of_adult_are_found(shared_data):
    raw = pq.read_table(shared_data / "adult.parquet").slice(0, 12000)
    rng = np.random.default_rng(0)
    income = np.array([">50K" in v for v in raw["income"].to_pylist()])
    rows = rng.permutation(len(income))[:600]
    income[rows] = ~income[rows]
    nr = pa.array([f"n{n}" for n in range(len(income))])
    raw = raw.drop_columns(["income", "split"]).append_column("income", pa.array(income)).append_column("nr", nr)
    prepared = Default(near=0).clean(raw, Roles(target="income", id="nr"))
    codes = Auto().assign(prepared, 0)
    parts = {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}
    made = Dataset("d", prepared.task, prepared.roles, prepared.classes, prepared.columns, parts, {})
    issues = find_issues(made)
    put = np.isin(np.array(made.parts["train"][ROW_ID].to_pylist()), [f"n{n}" for n in rows])
    assert put[issues.wrong].sum() / put.sum() > 0.5
    assert put[issues.order[: put.sum()]].mean() > 3 * put.mean()
