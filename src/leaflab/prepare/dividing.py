"""The last steps of a large table: typed rows on disk, of which each stays once, come to their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leaflab.errors import DataError
from leaflab.identity import column_hashes
from leaflab.prepare.ahead import ahead
from leaflab.prepare.duplicates import few_values, numbered, outdone, places
from leaflab.prepare.near import GRIDS, cells, companies, earlier, widths
from leaflab.prepare.spill import floats, texts_of
from leaflab.values import PARTS, ROW_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaflab.prepare.base import Prepared
    from leaflab.prepare.default import Default
    from leaflab.prepare.spill import Spill
    from leaflab.prepare.survey import Known
    from leaflab.prepare.target import Goal
    from leaflab.values import Roles

__all__ = ["Divided", "Dividing", "Plan"]

Divided = tuple["Prepared", "NDArray[np.int8]"]
"""What is prepared, and the part of each row of its table."""

_MIN_ROWS = 5


@dataclass(frozen=True)
class Plan:
    """What the first pass found: the target, each column, the features among them, and how many rows there are."""

    goal: Goal
    known: Mapping[str, Known]
    features: list[str]
    rows: int
    roles: Roles
    aside: tuple[str, ...] = ()

    @cached_property
    def written(self) -> list[str]:
        """Typed columns that the parts hold, the target apart."""
        special = (n for n in (self.roles.weight, self.roles.time, self.roles.group) if n is not None)
        return list(dict.fromkeys([*self.features, *special]))

    def words(self, options: Default) -> dict[str, list[str]]:
        """The hashes of rows that are asked for, and the columns that have a share in each."""
        alike = [n for n in self.features if n != self.roles.time and not self.known[n].grid]
        found = {"whole": list(self.known), "features": self.features, "near": alike, "key": options.key.columns}
        unasked = {"whole": options.duplicates == "keep", "near": not options.near, "key": not options.key.columns}
        return {word: names for word, names in found.items() if not unasked.get(word)}


@dataclass
class Dividing:
    """One typed table on disk.

    Args:
        options: the preparation's options.
        spill: its rows, and their hashes "features", "whole", "near" (features that near-duplicates share) and "key".
        plan: what its columns are.
        kept: the rows that were not refused, shape (rows,).
        spreads: the standard deviations of its numbers with fractions.
    """

    options: Default
    spill: Spill
    plan: Plan
    kept: NDArray[np.bool_]
    spreads: Mapping[str, float]
    kept_copies: bool = False

    def run(self, prepared: Prepared, assign: Callable[[Prepared], Divided]) -> tuple[Prepared, dict[str, pa.Table]]:
        """Drops what repeats, keeps near-duplicates together and writes the parts."""
        roles = self.plan.roles
        refused = self.kept.copy()
        duplicates, notes = self._each_once()
        gone = self._one_a_key()
        keys, place = self._keys()
        thin = self.spill.columns([n for n in (roles.time, roles.group, roles.goal) if n is not None], self.kept)
        near, firsts = self._near(thin[roles.time].to_numpy() if roles.time else None)
        keys[near] = keys[firsts]
        if len(near):
            notes.append(f"{len(near):,} rows are nearly alike; those stay in one part together")
        rows = int(self.kept.sum())
        if rows < _MIN_ROWS:
            raise DataError("the table", f"must have at least {_MIN_ROWS} usable rows", got=rows)
        prepared = replace(
            prepared,
            table=thin,
            aside=self.spill.columns(list(self.plan.aside), self.kept) if self.plan.aside else None,
            facts={**prepared.facts, "rows_out": int(refused.sum()) - duplicates, "duplicates": duplicates},
            notes=(*prepared.notes, *notes),
            lines=np.arange(len(refused)),
        ).set_aside(gone, "duplicate_key", self.options.key.reason)
        facts = {**prepared.facts, "near_duplicates": len(near)}
        lines = np.flatnonzero(self.kept)
        prepared, codes = assign(replace(prepared, facts=facts, keys=keys, near=near, lines=lines))
        whole = np.full(len(self.kept), -1, dtype="int8")
        whole[self.kept] = codes
        return prepared, self.spill.parts(PARTS, [*self.plan.written, roles.goal], whole, self._ids(place))

    def _each_once(self) -> tuple[int, list[str]]:
        """Drops rows equal in every column to an earlier one; how many, and what there is to say."""
        if self.options.duplicates == "keep":
            self.kept_copies = True
            return 0, []
        rows = np.flatnonzero(self.kept)
        again, firsts = earlier(self.spill.kept("whole")[rows])
        if self.options.duplicates == "auto" and few_values(firsts, len(rows)):
            self.kept_copies = True
            said = f"{len(again):,} of {len(rows):,} rows repeat another: kept, since so few values make them alike"
            return 0, [said]
        self.kept[rows[again]] = False
        return len(again), []

    def _one_a_key(self) -> NDArray[np.int64]:
        """The rows that give way to another with the same `prepare.key`."""
        key = self.options.key
        if not key.columns:
            return np.zeros(0, dtype="int64")
        rows, time = np.flatnonzero(self.kept), key.moments(self.plan.roles)
        moments = self.spill.columns([time], self.kept).column(0).to_numpy() if time else None
        gone = np.sort(rows[outdone(self.spill.kept("key")[rows], key.keep, moments)])
        self.kept[gone] = False
        return gone

    def _keys(self) -> tuple[NDArray[np.uint64], NDArray[np.int64] | None]:
        """What random draws start from, shape (kept rows,); and how often the id of a row came before it."""
        if self.plan.roles.ids:
            ids = self.spill.columns([ROW_ID], self.kept).column(0).to_pandas()
            return column_hashes(ROW_ID, ids), None
        keys = self.spill.kept("features")[self.kept]
        if not self.kept_copies:
            return keys, None
        place = places(keys)
        ids = pd.Series(numbered(np.array(texts_of(keys).to_pylist(), dtype=object), place), dtype="str")
        return column_hashes(ROW_ID, ids), place

    def _near(self, moments: NDArray[Any] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The kept rows that have near-duplicates, and the first of its company for each."""
        if not self.options.near or self.kept_copies:
            return np.zeros(0, dtype="int64"), np.zeros(0, dtype="int64")
        wide = widths({n: s for n, s in self.spreads.items() if n != self.plan.roles.time}, self.options.near)
        base, start = self.spill.kept("near"), 0
        if not wide:
            return companies([base[self.kept]], int(self.kept.sum()), moments)

        def hashed(placed: tuple[slice, pa.RecordBatch]) -> NDArray[np.uint64]:
            here, batch = placed
            rows = self.kept[here]
            return cells(base[here][rows], {n: floats(batch.column(n))[rows] for n in wide}, wide)

        grids = np.empty((GRIDS, int(self.kept.sum())), dtype="uint64")
        for found in ahead(hashed, self.spill.batches(list(wide))):
            grids[:, start : start + found.shape[1]] = found
            start += found.shape[1]
        return companies(grids, start, moments)

    def _ids(self, place: NDArray[np.int64] | None) -> Callable[[pa.RecordBatch, slice], pa.Array[Any]]:
        if self.plan.roles.ids:
            return lambda batch, here: batch.column(ROW_ID)
        words = self.spill.kept("features")
        if place is None:
            return lambda batch, here: texts_of(words[here])
        again = np.zeros(len(words), dtype="int64")
        again[self.kept] = place

        def made(batch: pa.RecordBatch, here: slice) -> pa.Array[Any]:
            ids = np.array(texts_of(words[here]).to_pylist(), dtype=object)
            return pa.array(numbered(ids, again[here]), pa.string())

        return made
