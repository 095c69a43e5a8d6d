"""Folds: what a trial learns from and is judged on, and what the final model's members are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ConfigError

if TYPE_CHECKING:
    from leaflab.model.base import Fold, Problem

__all__ = ["KINDS", "folds"]

KINDS = ("holdout", "kfold", "repeated", "group", "time")


def folds(problem: Problem, kind: str, count: int, seed: int) -> list[Fold]:
    """The folds of a problem, the first judged on the validation part wherever there is one.

    Fold 0 learns from the training part and is judged on the validation part, as the split gave them; the others cut
    the training part, so that together they are a cross-validation of all rows with the holdout as its first fold.

    Args:
        problem: its rows, groups and boundary.
        kind: "holdout" judges trials on fold 0 alone; "kfold" and "group" on all; "repeated" on two different cuts;
            "time" on windows that each follow what was learnt from.
        count: folds in one cut.
        seed: of the cuts.

    Raises:
        ConfigError: groups are asked for and there are none; too few rows or groups.
    """
    rows = len(problem.target)
    if kind == "group" and problem.group is None:
        hint = "name the column, as in dataset.group=patient"
        raise ConfigError("`search.validation=group`", "needs groups", hint=hint)
    if kind == "time" or (problem.temporal and kind == "holdout"):
        return _windows(problem, 1 if kind == "holdout" else count)
    everything = np.arange(rows)
    if problem.boundary < rows:
        judged = [everything[problem.boundary :]]
        judged += _parts(problem, everything[: problem.boundary], count - 1, seed)
    else:
        judged = _parts(problem, everything, count, seed)
    if kind == "repeated":
        judged += _parts(problem, everything, count, seed + 1)
    return [(np.setdiff1d(everything, part, assume_unique=True), part) for part in judged]


def _parts(problem: Problem, rows: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """`count` disjoint parts: whole groups where there are any, like shares of every class where there are classes."""
    random = np.random.default_rng(seed)
    if problem.group is not None:
        kept: Any = problem.group[rows]
        names = random.permutation(np.unique(kept))
        if len(names) < count:
            raise ConfigError("`search.folds`", f"must not exceed the {len(names)} groups", got=count)
        return [rows[np.isin(kept, part)] for part in np.array_split(names, count)]
    if len(rows) < 2 * count:
        raise ConfigError("`search.folds`", f"leaves too few of {len(rows)} rows a fold", got=count)
    order = random.permutation(len(rows))
    if problem.task != "regression":
        order = order[np.argsort(problem.target[rows][order], kind="stable")]
    return [np.sort(rows[order[start::count]]) for start in range(count)]


def _windows(problem: Problem, count: int) -> list[Fold]:
    """The holdout, and before it windows of the same length that follow what is learnt from; rows are in time order."""
    rows = len(problem.target)
    everything = np.arange(rows)
    boundary = problem.boundary if problem.boundary < rows else int(rows * 0.8)
    made = [(everything[:boundary], everything[boundary:])]
    length = min(rows - boundary, boundary // (count + 1))
    for back in range(1, count):
        end = boundary - (back - 1) * length
        if end - length < length or length < 1:
            break
        made.append((everything[: end - length], everything[end - length : end]))
    return made
