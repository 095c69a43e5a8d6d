"""The row-wise part of a preparation: type, set aside, deduplicate, name rows; nothing here learns from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leaflab.errors import DataError
from leaflab.identity import column_hashes, hex_ids, row_hashes
from leaflab.prepare.base import Prepared
from leaflab.prepare.duplicates import conflicts, few_values, near_rows, numbered, outdone, places, repeated
from leaflab.prepare.kinds import markers
from leaflab.prepare.labels import DROP, consensus, corrections
from leaflab.prepare.naming import check_names, listed
from leaflab.prepare.near import fractional
from leaflab.prepare.refusals import Refusals
from leaflab.prepare.roles import check_features, check_time, check_weights
from leaflab.prepare.target import Goal, find_goal
from leaflab.prepare.typing import TypedColumn, is_text, type_column
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.default import Default
    from leaflab.values import Roles

__all__ = ["Cleaning"]

_MIN_ROWS = 5


@dataclass
class Cleaning:
    """One raw table on its way to a typed one; every row that leaves is counted under the rule that refused it.

    Args:
        raw: the raw table.
        roles: what its columns are for.
        options: the preparation's options.
    """

    raw: pa.Table
    roles: Roles
    options: Default
    notes: list[str] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    spreads: dict[str, float] = field(default_factory=dict)
    duplicates: int = 0
    near: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, "int64"))
    kept_copies: bool = False

    def run(self, aside: Sequence[str] = ()) -> Prepared:
        """The typed table, its rules, and the rows set aside."""
        options, roles = self.options, self.roles
        self._agree()
        asked = {"prepare.rules": [*options.rules], "prepare.key.columns": options.key.columns, "split.column": aside}
        check_names(self.raw.column_names, roles, asked)
        self.refusals = Refusals(self.raw)
        missing = markers(options.missing)
        goal = find_goal(self.raw[roles.goal], roles, missing, options.rules.get(roles.goal, {}))
        self.notes += goal.notes
        self.hidden = {*roles.dropped, *aside}
        out = {roles.goal, *self.hidden} - set(options.key.columns)
        typed = {n: type_column(n, self.raw[n], missing, options.rules) for n in self.raw.column_names if n not in out}
        self._tell(typed)
        self._check_roles(typed)
        kept = self._kept(goal, typed)
        features = self._features(typed)
        table = self._table(goal, typed, features).filter(pa.array(kept))
        if table.num_rows < _MIN_ROWS:
            raise DataError("the table", f"must have at least {_MIN_ROWS} usable rows", got=table.num_rows)
        table, keys = self._named(table, kept, features)
        lines = np.flatnonzero(kept)
        if options.corrections:
            table, stay = self._corrected(table, goal, lines)
            keys, lines = keys[stay], lines[stay]
            self.near = np.flatnonzero(np.isin(np.flatnonzero(stay), self.near))
        return Prepared(
            table=table,
            columns=tuple(typed[n].column for n in features),
            task=goal.task,
            roles=roles.resolved(task=goal.task, positive=goal.positive),
            classes=goal.classes,
            quarantine=tuple(self.refusals.quarantine()),
            facts=self._facts(table.num_rows),
            notes=tuple(self.notes),
            features=options.learnt(),
            aside=self.raw.select(list(aside)).take(pa.array(lines)) if aside else None,
            monotone=options.features.checked({n: typed[n].column.kind for n in features}),
            keys=keys,
            near=self.near,
            lines=lines,
            texts=self.refusals.texts,
        )

    def _agree(self) -> None:
        """Several label columns become one target."""
        names = self.options.annotators
        if not names or self.roles.goal in self.raw.column_names:
            return
        check_names(self.raw.column_names, self.roles.resolved(target=names[0]), {"prepare.annotators": names})
        self.raw, agreement, kappa = consensus(self.raw, names, self.roles.goal)
        self.notes.append(f"annotators agree on {agreement:.1%} of the rows (Fleiss' kappa {kappa:.2f})")

    def _corrected(self, table: pa.Table, goal: Goal, lines: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.bool_]]:
        """The table with the labels that people corrected, and the rows that stay."""
        given = corrections(str(self.options.corrections), goal.classes)
        asked = [given.get(i) for i in table[ROW_ID].to_pylist()]
        stay = np.array([word != DROP for word in asked])
        old = table[self.roles.goal].to_pylist()
        new = [o if word is None or word == DROP else word for word, o in zip(asked, old, strict=True)]
        changed = sum(a != b for a, b in zip(new, old, strict=True))
        self.notes.append(f"{changed} labels corrected and {int((~stay).sum())} rows set aside by review")
        gone = np.zeros(self.raw.num_rows, bool)
        gone[lines[~stay]] = True
        self.refusals.add(gone, "label_review", "a person set the row aside")
        place = table.column_names.index(self.roles.goal)
        table = table.set_column(place, self.roles.goal, pa.array(new, type=table.schema.field(place).type))
        return table.filter(pa.array(stay)), stay

    def _tell(self, typed: Mapping[str, TypedColumn]) -> None:
        for name, column in typed.items():
            self.notes += column.notes if name not in self.roles.ids else ()
        found: dict[str, list[str]] = {}
        for name, column in typed.items():
            for marker, count in column.markers.items():
                found.setdefault(marker, []).append(f"{name!r} {count:,}")
        self.notes += [f"{marker!r} is read as missing: {', '.join(where)}" for marker, where in found.items()]

    def _check_roles(self, typed: Mapping[str, TypedColumn]) -> None:
        weight, time = self.roles.weight, self.roles.time
        if weight is not None:
            check_weights(weight, typed[weight].column.kind, typed[weight].values.to_numpy(zero_copy_only=False))
        if time is not None:
            check_time(time, typed[time].column.kind, self.raw[time].chunks)

    def _kept(self, goal: Goal, typed: Mapping[str, TypedColumn]) -> NDArray[np.bool_]:
        """Rows that stay, shape (rows,): those with a target and readable, valid values, each once."""
        refuse = self.refusals.add
        refuse(goal.values.is_null().to_numpy(zero_copy_only=False), "target_null", "the target has no value")
        for role in ("time", "weight", "group"):
            name = getattr(self.roles, role)
            if name is not None:
                gone = typed[name].values.is_null().to_numpy(zero_copy_only=False) & ~typed[name].bad
                refuse(gone, f"{role}_null", f"the {role} column {name!r} has no value")
        for name, column in typed.items():
            refuse(column.bad, "unreadable", f"column {name!r} must hold a {column.column.kind}")
        whole = pa.table({n: c.values for n, c in typed.items()} | {self.roles.goal: goal.values})
        self._validate(whole)
        self.refusals.stop_above(self.options.limit)
        kept = self.refusals.kept
        numbers = {n: c.values.to_numpy(zero_copy_only=False) for n, c in typed.items() if c.column.kind == "number"}
        self.spreads = {n: _spread(v[kept]) for n, v in numbers.items() if fractional(v)}
        if self.options.duplicates == "keep" or not kept.any():
            self.kept_copies = True
        else:
            kept = self._each_once(whole, kept)
        return self._one_a_key(whole, kept) if self.options.key.columns else kept

    def _each_once(self, whole: pa.Table, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        again, firsts = repeated(whole, kept)
        copies, total = int(again.sum()), int(kept.sum())
        if self.options.duplicates == "auto" and few_values(firsts, total):
            self.notes.append(f"{copies:,} of {total:,} rows repeat another: kept, since so few values make them alike")
            self.kept_copies = True
            return kept
        self.duplicates = copies
        return np.asarray(kept & ~again)

    def _one_a_key(self, whole: pa.Table, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the rows with the same `prepare.key`, the first, last or newest; a row without one has no equals."""
        key = self.options.key
        frame = whole.select(key.columns).filter(pa.array(kept)).to_pandas()
        named = np.flatnonzero(kept)[frame.notna().all(axis=1).to_numpy()]
        time = key.moments(self.roles)
        gone = np.zeros(len(kept), bool)
        gone[named[outdone(row_hashes(frame.dropna()), key.keep, whole[time].to_numpy()[named] if time else None)]] = (
            True
        )
        self.refusals.add(gone, "duplicate_key", key.reason)
        if gone.any():
            self.notes.append(f"{int(gone.sum()):,} rows set aside: {key.reason}")
        return np.asarray(kept & ~gone)

    def _validate(self, whole: pa.Table) -> None:
        checks = self.options.checks
        if not checks.asked:
            return
        frame, time = whole.to_pandas(), self.roles.time
        checks.of_the_table(len(frame), frame[time].max() if time else None, time)
        failures = checks.failures(frame)
        for failure in failures:
            said = f"{len(failure.rows):,} rows fail {failure.rule!r}: {failure.reason}"
            if checks.on_fail == "stop":
                raise DataError("the table", "must satisfy prepare.checks", got=said)
            self.notes.append(said)
            if checks.on_fail == "quarantine":
                mask = np.zeros(self.raw.num_rows, bool)
                mask[failure.rows] = True
                self.refusals.add(mask, failure.rule, failure.reason)

    def _features(self, typed: Mapping[str, TypedColumn]) -> list[str]:
        """Names of the model's input columns; what is left out is said."""
        special = {self.roles.weight, self.roles.group, *self.roles.ids, *self.hidden}
        names: list[str] = []
        seen: dict[int, list[str]] = {}
        for name, column in typed.items():
            if name in special:
                continue
            if column.empty:
                self.unused[name] = "empty"
            elif column.distinct == 1:
                self.unused[name] = "constant"
            elif column.column.kind == "text" and self.options.features.text == "none":
                self.unused[name] = "free text"
            else:
                twins = seen.setdefault(_sketch(column.values), [])
                copy = next((t for t in twins if typed[t].values.equals(column.values)), None)
                if copy is not None and name != self.roles.time:
                    self.unused[name] = f"a copy of {copy!r}"
                else:
                    names.append(name)
                    twins.append(name)
        for reason in dict.fromkeys(self.unused.values()):
            group = [n for n, r in self.unused.items() if r == reason]
            self.notes.append(f"left out as {reason}: {listed(group)}")
        check_features(names, [*typed])
        return names

    def _table(self, goal: Goal, typed: Mapping[str, TypedColumn], features: list[str]) -> pa.Table:
        special = [n for n in (self.roles.weight, self.roles.time, self.roles.group) if n is not None]
        names = [*features, *(n for n in special if n not in features)]
        return pa.table({n: typed[n].values for n in names} | {self.roles.goal: goal.values})

    def _named(
        self, table: pa.Table, kept: NDArray[np.bool_], features: list[str]
    ) -> tuple[pa.Table, NDArray[np.uint64]]:
        """The table with `row_id` first, and the 64-bit keys of random draws, which near-duplicates share."""
        frame = table.select(features).to_pandas()
        keys = row_hashes(frame)
        differ = 0 if self.kept_copies else conflicts(keys, table[self.roles.goal])
        if differ:
            self.notes.append(f"{differ:,} rows have the same features as another row, and another target")
        ids = hex_ids(keys)
        if self.roles.ids:
            columns = [self.raw[n].filter(pa.array(kept)).cast(pa.string()).to_pylist() for n in self.roles.ids]
            ids = np.array(["|".join(str(v) for v in row) for row in zip(*columns, strict=True)], dtype=object)
            again = len(ids) - len(set(ids))
            if again:
                self.notes.append(f"{again} rows share their id ({listed(self.roles.ids)}) with another row")
        elif self.kept_copies:
            ids = numbered(ids, places(keys))
        if self.roles.ids or self.kept_copies:
            keys = column_hashes(ROW_ID, pd.Series(ids, dtype="str"))
        if self.options.near and not self.kept_copies:
            compared = frame.drop(columns=[self.roles.time] if self.roles.time in features else [])
            moments = table[self.roles.time].to_numpy() if self.roles.time else None
            self.near, firsts = near_rows(compared, self.spreads, self.options.near, moments)
            keys[self.near] = keys[firsts]
        if len(self.near):
            self.notes.append(f"{len(self.near):,} rows are nearly alike; those stay in one part together")
        return table.add_column(0, ROW_ID, pa.array(ids, type=pa.string())), keys

    def _facts(self, rows_out: int) -> dict[str, Any]:
        return {
            "rows_in": self.raw.num_rows,
            "rows_out": rows_out,
            "duplicates": self.duplicates,
            "near_duplicates": len(self.near),
            "quarantined": self.refusals.by_rule,
            "unused": dict(self.unused),
        }


def _spread(values: NDArray[np.float64]) -> float:
    """The standard deviation of the values; nought where none is there."""
    present = values[~np.isnan(values)]
    return float(present.std()) if len(present) else 0.0


def _sketch(values: pa.Array[Any]) -> int:
    """A fingerprint of all rows: equal columns have equal ones, others hardly ever. Sparse columns begin alike."""
    plain = (values.dictionary_encode().indices if is_text(values.type) else values).to_numpy(zero_copy_only=False)
    return hash((plain + 0.0 if plain.dtype.kind == "f" else plain).tobytes())  # of the two zeros one
