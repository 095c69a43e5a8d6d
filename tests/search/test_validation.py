from __future__ import annotations

import numpy as np
import pytest

from leaflab.errors import ConfigError
from leaflab.search.validation import KINDS, folds


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("time", "group")])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_folds_are_disjoint_from_what_is_learnt_and_cover_every_row(puzzle, kind, task):
    problem = puzzle(task)
    cut = folds(problem, kind, 5, 0)
    assert len(cut) == (10 if kind == "repeated" else 5)
    for train, valid in cut:
        assert not set(train) & set(valid)
        assert len(train) + len(valid) == 200
    assert sorted(np.concatenate([v for _, v in cut[:5]])) == list(range(200))


def test_the_first_fold_is_the_validation_part(puzzle):
    train, valid = folds(puzzle(), "holdout", 5, 0)[0]
    assert list(valid) == list(range(160, 200))
    assert list(train) == list(range(160))


def test_without_a_validation_part_every_fold_is_cut(puzzle):
    from dataclasses import replace

    cut = folds(replace(puzzle(), boundary=200), "holdout", 4, 0)
    assert [len(v) for _, v in cut] == [50] * 4


def test_classes_are_shared_out(puzzle):
    problem = puzzle("multiclass", rows=400)
    shares = [np.bincount(problem.target[v], minlength=3) for _, v in folds(problem, "kfold", 5, 0)[1:]]
    assert all(abs(share - shares[0]).max() <= 1 for share in shares)


@pytest.mark.parametrize("kind", ["group", "holdout", "kfold"])
def test_no_group_straddles_a_cut_of_the_training_part(puzzle, kind):
    problem = puzzle(group=20)
    for _, valid in folds(problem, kind, 5, 0)[1:]:
        inside = np.setdiff1d(np.arange(160), valid)
        assert not set(problem.group[inside]) & set(problem.group[valid])


def test_windows_follow_what_was_learnt_from(puzzle):
    cut = folds(puzzle(temporal=True), "time", 4, 0)
    assert len(cut) >= 3
    assert all(train.max() < valid.min() for train, valid in cut)
    assert len(folds(puzzle(temporal=True), "holdout", 5, 0)) == 1


def test_what_cannot_be_cut_is_refused(puzzle):
    with pytest.raises(ConfigError, match=r"`search.validation=group` needs groups"):
        folds(puzzle(), "group", 5, 0)
    with pytest.raises(ConfigError, match="must not exceed the 3 groups"):
        folds(puzzle(group=3), "group", 5, 0)
    with pytest.raises(ConfigError, match=r"`search.folds` leaves too few"):
        folds(puzzle(rows=10), "kfold", 8, 0)
