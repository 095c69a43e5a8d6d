"""The row-wise part of a preparation: type, set aside, deduplicate, name rows; nothing here learns from the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from leaflab.errors import ConfigError, DataError
from leaflab.identity import row_ids
from leaflab.prepare.base import Prepared, QuarantineRow
from leaflab.prepare.kinds import MARKERS
from leaflab.prepare.target import Goal, find_goal
from leaflab.prepare.typing import TypedColumn, type_column
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.values import Roles

__all__ = ["Cleaning"]

_MIN_ROWS = 5


@dataclass
class Cleaning:
    """One raw table on its way to a typed one; every row that leaves is counted under the rule that refused it.

    Args:
        raw: the raw table.
        roles: what its columns are for.
        missing: texts that mean "no value", beside the usual ones.
        rules: column name to keys of its rule.
        drop: whether exact duplicates are dropped.
        limit: share of refused rows above which the run stops.
    """

    raw: pa.Table
    roles: Roles
    missing: tuple[str, ...]
    rules: Mapping[str, Mapping[str, Any]]
    drop: bool = True
    limit: float = 0.2
    notes: list[str] = field(default_factory=list)
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)

    def run(self, aside: Sequence[str] = ()) -> Prepared:
        """The typed table, its rules, and the rows set aside."""
        self._check_names(aside)
        markers = tuple(dict.fromkeys((*MARKERS, *self.missing)))
        goal = find_goal(self.raw[self.roles.goal], self.roles, markers, self.rules.get(self.roles.goal, {}))
        self.notes += goal.notes
        out = {self.roles.goal, *self.roles.dropped, *aside}
        typed = {n: type_column(n, self.raw[n], markers, self.rules) for n in self.raw.column_names if n not in out}
        self._tell(typed)
        self._check_roles(typed)
        kept = self._kept(goal, typed)
        features = self._features(typed)
        table = self._table(goal, typed, features).filter(pa.array(kept))
        table = self._named(table, typed, kept, features)
        if table.num_rows < _MIN_ROWS:
            raise DataError("the table", f"must have at least {_MIN_ROWS} usable rows", got=table.num_rows)
        return Prepared(
            table=table,
            columns=tuple(typed[n].column for n in features),
            task=goal.task,
            roles=self.roles.resolved(task=goal.task, positive=goal.positive),
            classes=goal.classes,
            quarantine=tuple(self._quarantine()),
            facts=self._facts(table.num_rows),
            notes=tuple(self.notes),
            aside=self.raw.select(list(aside)).filter(pa.array(kept)) if aside else None,
        )

    def _tell(self, typed: Mapping[str, TypedColumn]) -> None:
        for column in typed.values():
            self.notes += column.notes
        found: dict[str, list[str]] = {}
        for name, column in typed.items():
            for marker, count in column.markers.items():
                found.setdefault(marker, []).append(f"{name!r} {count:,}")
        self.notes += [f"{marker!r} is read as missing: {', '.join(where)}" for marker, where in found.items()]

    def _check_names(self, aside: Sequence[str]) -> None:
        names = self.raw.column_names
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError("the table", "must name every column once", got=twice[0])
        roles = self.roles
        asked: dict[str, list[str | None]] = {
            "dataset.target": [roles.goal],
            "dataset.time": [roles.time],
            "dataset.group": [roles.group],
            "dataset.weight": [roles.weight],
            "dataset.id": [*roles.ids],
            "dataset.drop": [*roles.dropped],
            "prepare.rules": [*self.rules],
            "split.column": [*aside],
        }
        for key, wanted in asked.items():
            for name in wanted:
                if name is not None and name not in names:
                    near = get_close_matches(name, names, 1) or get_close_matches(name.lower(), names, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"the columns are {_listed(names)}"
                    raise DataError(f"`{key}`", "must name a column of the table", got=name, hint=hint)
        used: dict[str, str] = {}
        for role in ("target", "weight", "time", "group"):
            name = getattr(roles, role)
            if name is not None and name in used:
                raise ConfigError(f"`dataset.{role}`", f"must not be the column of `dataset.{used[name]}`", got=name)
            if name is not None and name in roles.dropped:
                raise ConfigError("`dataset.drop`", f"must not hold the column of `dataset.{role}`", got=name)
            if name is not None:
                used[name] = role

    def _check_roles(self, typed: Mapping[str, TypedColumn]) -> None:
        weight, time = self.roles.weight, self.roles.time
        if weight is not None:
            values = typed[weight].values
            if typed[weight].column.kind != "number":
                raise DataError(f"weight column {weight!r}", "must hold numbers", got=typed[weight].column.kind)
            if (np.nan_to_num(values.to_numpy(zero_copy_only=False)) < 0).any():
                raise DataError(f"weight column {weight!r}", "must not hold negative numbers")
        if time is not None and (typed[time].column.kind not in ("time", "number") or typed[time].empty):
            example = next((v for v in self.raw[time].slice(0, 1000).to_pylist() if v is not None), None)
            hint = f"say how its text reads: prepare.rules={{{time}: {{kind: time, format: '%d.%m.%Y %H:%M'}}}}"
            raise DataError(f"time column {time!r}", "must hold dates, times or numbers", got=example, hint=hint)

    def _kept(self, goal: Goal, typed: Mapping[str, TypedColumn]) -> NDArray[np.bool_]:
        """Rows that stay, shape (rows,): those with a target and readable values, each once."""
        self._refuse(goal.values.is_null().to_numpy(zero_copy_only=False), "target_null", "the target has no value")
        for role in ("time", "weight", "group"):
            name = getattr(self.roles, role)
            if name is not None:
                gone = typed[name].values.is_null().to_numpy(zero_copy_only=False) & ~typed[name].bad
                self._refuse(gone, f"{role}_null", f"the {role} column {name!r} has no value")
        for name, column in typed.items():
            self._refuse(column.bad, "unreadable", f"column {name!r} must hold a {column.column.kind}")
        kept = np.ones(self.raw.num_rows, bool)
        kept[list(self.refused)] = False
        self._stop_above_limit()
        if self.drop and kept.any():
            columns = {n: c.values for n, c in typed.items()} | {self.roles.goal: goal.values}
            again = repeated(pa.table(columns), kept)
            self.duplicates = int(again.sum())
            kept &= ~again
        return kept

    duplicates: int = 0

    def _refuse(self, rows: NDArray[np.bool_], rule: str, reason: str) -> None:
        for row in np.flatnonzero(rows):
            self.refused.setdefault(int(row), (rule, reason))

    def _stop_above_limit(self) -> None:
        total, counts = self.raw.num_rows, self._by_rule()
        broken = sum(n for rule, n in counts.items() if rule != "target_null")
        if len(self.refused) == total or broken > self.limit * total:
            worst = max(counts, key=lambda rule: counts[rule])
            reason = next(reason for rule, reason in self.refused.values() if rule == worst)
            rule = f"must refuse at most {self.limit:.0%} of the rows; {len(self.refused)} of {total} would leave"
            raise DataError("`prepare.limit`", f"{rule}, most by {worst!r} ({reason})")

    def _features(self, typed: Mapping[str, TypedColumn]) -> list[str]:
        """Names of the model's input columns; what is left out is said."""
        roles = self.roles
        special = {roles.weight, roles.group, *roles.ids}
        names = []
        for name, column in typed.items():
            if name in special:
                continue
            if column.empty:
                self.unused[name] = "empty"
            elif column.distinct == 1:
                self.unused[name] = "constant"
            elif column.column.kind == "text":
                self.unused[name] = "free text"
            else:
                names.append(name)
        for reason in dict.fromkeys(self.unused.values()):
            group = [n for n, r in self.unused.items() if r == reason]
            self.notes.append(f"left out as {reason}: {_listed(group)}")
        if not names:
            raise DataError("the table", "must have at least one feature column that varies", got=_listed(list(typed)))
        return names

    def _table(self, goal: Goal, typed: Mapping[str, TypedColumn], features: list[str]) -> pa.Table:
        special = [n for n in (self.roles.weight, self.roles.time, self.roles.group) if n is not None]
        names = [*features, *(n for n in special if n not in features)]
        return pa.table({n: typed[n].values for n in names} | {self.roles.goal: goal.values})

    def _named(
        self, table: pa.Table, typed: Mapping[str, TypedColumn], kept: NDArray[np.bool_], features: list[str]
    ) -> pa.Table:
        """The table with `row_id` first."""
        if self.roles.ids:
            columns = [self.raw[n].filter(pa.array(kept)).cast(pa.string()).to_pylist() for n in self.roles.ids]
            ids = np.array(["|".join(str(v) for v in row) for row in zip(*columns, strict=True)], dtype=object)
            again = len(ids) - len(set(ids))
            if again:
                self.notes.append(f"{again} rows share their id ({_listed(self.roles.ids)}) with another row")
        else:
            ids = row_ids(table.select(features).to_pandas())
        return table.add_column(0, ROW_ID, pa.array(ids, type=pa.string()))

    def _by_rule(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for rule, _ in self.refused.values():
            counts[rule] = counts.get(rule, 0) + 1
        return counts

    def _facts(self, rows_out: int) -> dict[str, Any]:
        return {
            "rows_in": self.raw.num_rows,
            "rows_out": rows_out,
            "duplicates": self.duplicates,
            "quarantined": self._by_rule(),
            "unused": dict(self.unused),
        }

    def _quarantine(self) -> Iterable[QuarantineRow]:
        lines = sorted(self.refused)
        for line, row in zip(lines, self.raw.take(pa.array(lines, pa.int64())).to_pylist(), strict=True):
            rule, reason = self.refused[line]
            yield QuarantineRow("", line, rule, reason, json.dumps(row, ensure_ascii=False, default=str))


def repeated(table: pa.Table, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows equal, in every column, to an earlier one of those in `among`, shape (rows,).

    A 64-bit hash finds the candidates and a comparison of all their values decides.
    """
    import pandas as pd

    hashes = pd.Series(row_ids(table.to_pandas()))[among]
    candidates = hashes.index[hashes.duplicated(keep=False)]
    again = np.zeros(table.num_rows, bool)
    if len(candidates):
        again[candidates] = table.take(candidates.to_numpy()).to_pandas().duplicated().to_numpy()
    return again


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
