"""What is tried first, and when finer bins may tell more."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from leaflab.model.lightgbm import LightGBM
from leaflab.model.portfolio import fine, portfolio

ROWS = 3000


def problem(distinct, categorical=(), paired=0):
    column = np.arange(ROWS, dtype=float) % distinct
    column[::7] = np.nan
    return SimpleNamespace(
        matrix=np.column_stack([column, np.zeros(ROWS)]), categorical=categorical, boundary=ROWS, task="binary",
        target=np.arange(ROWS) % 2, metric=SimpleNamespace(name="log_loss"), paired=paired, plain=2 - paired, outputs=2,
    )  # fmt: skip


@pytest.mark.parametrize(("distinct", "categorical", "finer"), [(255, (), False), (256, (), True), (2000, (0,), False)])
def test_finer_bins_are_tried_where_a_column_of_numbers_has_more_values_than_bins(distinct, categorical, finer):
    made = problem(distinct, categorical)
    assert fine(made) is finer
    assert any(p.get("max_bin") == 1023 for p in portfolio(made)) is finer
    assert portfolio(made)[0] == {}
    space = LightGBM().space(made, {"max_bin": [255, 1023], "num_leaves": {"low": 4, "high": 64}})
    assert ("max_bin" in space) is finer


@pytest.mark.parametrize("bins", [[63, 255], {"low": 15, "high": 255}, 127, ["a", "b"]])
def test_coarser_bins_of_ones_own_are_searched_whatever_the_table(bins):
    assert "max_bin" in LightGBM().space(problem(100), {"max_bin": bins})


def test_features_of_pairs_are_tried_and_searched_only_where_there_are_some():
    asked = {"pairs": [False, True], "num_leaves": {"low": 4, "high": 64}}
    assert not any("pairs" in p for p in portfolio(problem(9)))
    assert "pairs" not in LightGBM().space(problem(9), asked)
    tried = portfolio(problem(9, paired=1))
    assert {True, False} == {"pairs" in p for p in tried}
    assert tried[0] == {}
    assert LightGBM().space(problem(9, paired=1), asked)["pairs"] == [False, True]


def test_the_many_values_of_a_pair_ask_for_no_finer_bins():
    made = problem(9, paired=1)
    made.matrix[:, -1] = np.arange(ROWS)
    assert not fine(made)


def test_each_category_against_the_rest_is_tried_only_where_there_are_categories():
    assert not any("max_cat_to_onehot" in p for p in portfolio(problem(9)))
    assert any(p.get("max_cat_to_onehot") == 100 for p in portfolio(problem(9, (0,))))


def test_lists_by_feature_of_ones_own_leave_no_room_for_pairs():
    assert LightGBM().most_pairs == 24
    assert LightGBM(params={"feature_contri": [1, 1]}).most_pairs == 0


@pytest.mark.parametrize(
    ("rows", "classes", "tried"), [(1999, 2, 1), (2000, 2, 1), (14_999, 3, 1), (15_000, 2, 0), (9000, 4, 0)]
)
def test_trees_of_a_few_leaves_are_tried_where_rows_are_soon_learnt_by_heart(rows, classes, tried):
    made = problem(9)
    made.boundary, made.outputs = rows, classes
    assert any(p.get("num_leaves", 31) == 4 for p in portfolio(made)) == tried
    assert portfolio(made)[0] == {}
