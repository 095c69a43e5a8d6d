"""What changed between two tables: columns, rows, distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.identity import digest, row_hashes
from leaflab.prepare.profile import psi, shares_of
from leaflab.values import ROW_ID

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Change", "Difference", "compare"]

_EXAMPLES, _LETTERS = 3, 12


@dataclass(frozen=True)
class Change:
    """One column that both tables have and that differs: its types and digests, and how far its values moved (PSI)."""

    name: str
    before: str
    after: str
    shift: float
    digests: tuple[str, str]


@dataclass(frozen=True)
class Difference:
    """Two tables side by side.

    Args:
        rows: rows before and after.
        same: whether the tables are equal, digest for digest.
        gone, new: columns only in the one or the other.
        changes: columns in both that differ.
        removed, added: rows only in the one or the other.
        changed: rows with the same id and other values; None where rows have no id.
        examples: "removed", "added" and "changed" to a few such rows, as plain values.
    """

    rows: tuple[int, int]
    same: bool
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    removed: int = 0
    added: int = 0
    changed: int | None = None
    examples: Mapping[str, list[Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"rows: {self.rows[0]:,} → {self.rows[1]:,}"
        if self.same:
            yield "the tables are the same, cell for cell"
            return
        for word, names in (("gone", self.gone), ("new", self.new)):
            if names:
                yield f"columns {word}: {', '.join(names)}"
        for change in self.changes:
            kinds = change.before if change.before == change.after else f"{change.before} → {change.after}"
            moved = "" if np.isnan(change.shift) else f", shift {change.shift:.3f}"
            told = " → ".join(digest[:_LETTERS] for digest in change.digests)
            yield f"column {change.name} ({kinds}) differs, digest {told}{moved}"
        yield f"rows removed: {self.removed:,}, added: {self.added:,}" + (
            "" if self.changed is None else f", changed: {self.changed:,}"
        )
        for word, rows in self.examples.items():
            for row in rows:
                yield f"  {word}: {row}"


def compare(before: pa.Table, after: pa.Table) -> Difference:
    """The difference of two tables; rows are joined by `row_id` where both have one, else by all their values."""
    one, other = digest(before), digest(after)
    sizes = (before.num_rows, after.num_rows)
    if one.table == other.table:
        return Difference(sizes, same=True)
    shared = [n for n in before.column_names if n in after.column_names]
    a, b = before.select(shared).to_pandas(), after.select(shared).to_pandas()
    kinds = [{n: str(table.schema.field(n).type) for n in shared} for table in (before, after)]
    changes = tuple(
        Change(n, kinds[0][n], kinds[1][n], _shift(a[n], b[n]), (one.columns[n], other.columns[n]))
        for n in shared
        if one.columns[n] != other.columns[n] and n != ROW_ID
    )
    gone = tuple(n for n in before.column_names if n not in shared)
    new = tuple(n for n in after.column_names if n not in shared)
    return Difference(sizes, False, gone, new, changes, **_rows(a, b))


def _rows(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    named = ROW_ID in a.columns and a[ROW_ID].is_unique and b[ROW_ID].is_unique
    if not len(a.columns):
        return {"removed": len(a), "added": len(b)}
    content = [pd.Series(row_hashes(f)) for f in (a, b)]
    keys = [a[ROW_ID], b[ROW_ID]] if named else [_nth(c) for c in content]
    gone, new = ~keys[0].isin(keys[1]).to_numpy(), ~keys[1].isin(keys[0]).to_numpy()
    found: dict[str, Any] = {"removed": int(gone.sum()), "added": int(new.sum())}
    examples: dict[str, list[Any]] = {"removed": _shown(a[gone]), "added": _shown(b[new])}
    if named:
        old = pd.Series(content[0].to_numpy(), index=keys[0])
        both = keys[1][~new]
        differ = old.loc[both].to_numpy() != content[1][~new].to_numpy()
        found["changed"] = int(differ.sum())
        examples["changed"] = _pairs(a, b, list(both[differ][:_EXAMPLES]))
    return {**found, "examples": {word: rows for word, rows in examples.items() if rows}}


def _nth(content: pd.Series[Any]) -> pd.Series[Any]:
    """Content hashes made unique by how often each came before, so that copies are counted."""
    place = content.groupby(content).cumcount().to_numpy(dtype="uint64")
    return content + place * np.uint64(0x9E3779B97F4A7C15)


def _shown(frame: pd.DataFrame) -> list[Any]:
    return frame.head(_EXAMPLES).to_dict("records")


def _pairs(a: pd.DataFrame, b: pd.DataFrame, ids: list[str]) -> list[str]:
    """`id: column old → new, …` of rows that changed."""
    said = []
    left, right = a.set_index(ROW_ID), b.set_index(ROW_ID)
    for key in ids:
        old, new = left.loc[key], right.loc[key]
        moved = [f"{c} {old[c]!s} → {new[c]!s}" for c in left.columns if str(old[c]) != str(new[c])]
        said.append(f"{key}: {', '.join(moved)}")
    return said


def _shift(before: pd.Series[Any], after: pd.Series[Any]) -> float:
    kinds = {_kind(before), _kind(after)}
    if len(kinds) > 1 or not before.notna().any() or not after.notna().any():
        return float("nan")
    _, shares = shares_of({"before": before, "after": after}, kinds.pop())
    return psi(shares["before"], shares["after"])


def _kind(values: pd.Series[Any]) -> str:
    return {"M": "time", "f": "number", "i": "number", "u": "number"}.get(values.dtype.kind, "category")
