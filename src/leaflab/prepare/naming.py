"""Whether the names a user gave fit the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from leaflab.values import Roles

__all__ = ["check_names", "listed"]


def check_names(names: Sequence[str], roles: Roles, others: Mapping[str, Sequence[str]]) -> None:
    """Every name given must be a column, and each column has one role.

    Args:
        names: the columns of the raw table.
        roles: what they are for.
        others: further keys and the columns they name (`prepare.rules`, `split.column`).

    Raises:
        DataError: a column that is not there, with the nearest that is, or one that is there twice.
        ConfigError: one column with two roles.
    """
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError("the table", "must name every column once", got=twice[0])
    if ROW_ID in names and ROW_ID not in (*roles.ids, *roles.dropped):
        hint = f"say dataset.id={ROW_ID} if it names rows, or leave it out with dataset.drop=[{ROW_ID}]"
        raise DataError(f"column {ROW_ID!r}", "has the name that leaflab gives to the ids of rows", hint=hint)
    single = {"target": roles.goal, "time": roles.time, "group": roles.group, "weight": roles.weight}
    asked: dict[str, Sequence[str]] = {f"dataset.{role}": [name] for role, name in single.items() if name is not None}
    asked |= {"dataset.id": roles.ids, "dataset.drop": roles.dropped, **others}
    for key, wanted in asked.items():
        for name in wanted:
            if name not in names:
                near = get_close_matches(name, names, 1) or get_close_matches(name.lower(), names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"the columns are {listed(names)}"
                raise DataError(f"`{key}`", "must name a column of the table", got=name, hint=hint)
    used: dict[str, str] = {}
    for role, column in single.items():
        if column is None:
            continue
        if column in used:
            raise ConfigError(f"`dataset.{role}`", f"must not be the column of `dataset.{used[column]}`", got=column)
        if column in roles.dropped:
            raise ConfigError("`dataset.drop`", f"must not hold the column of `dataset.{role}`", got=column)
        used[column] = role
    if roles.goal in roles.ids:
        raise ConfigError("`dataset.id`", "must not hold the target", got=roles.goal)


def listed(names: Sequence[str]) -> str:
    """The first eight names, and how many more."""
    shown = ", ".join(repr(n) for n in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
