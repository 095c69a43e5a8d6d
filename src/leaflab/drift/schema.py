"""Schema: columns that are gone, and values that no longer read as their kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leaflab.drift.base import Finding
from leaflab.drift.column import ColumnTest, Least
from leaflab.drift.missing import two_shares
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.drift.base import Pair
    from leaflab.drift.sketch import Sketch

__all__ = ["Schema"]

_NOUN = {"number": "numbers", "level": "text", "time": "times"}


@option
class Schema(ColumnTest):
    """A column that is gone is certain (effect 1, p-value 0); unreadable values are two shares compared.

    The effect is the share of values that do not read as the column's kind; most of them make a retyped column.
    """

    name = "schema"
    kinds = ("number", "level", "time")
    least: Least = 0.005

    def compare(self, pair: Pair) -> Iterator[Finding]:
        for name in pair.reference.columns:
            if name not in pair.current.columns and pair.current.rows:
                yield Finding(
                    self.name, name, 1.0, 0.0, self.least, f"'{name}' is gone: the current rows have no such column."
                )
        yield from super().compare(pair)

    def enough(self, reference: Sketch, current: Sketch) -> int:
        return min(reference.rows, current.rows)

    def measure(self, reference: Sketch, current: Sketch) -> tuple[float, float, str]:
        share = current.bad / current.rows
        p_value = two_shares(reference.bad, reference.rows, current.bad, current.rows)
        kind = _NOUN[current.kind]
        retyped = f"no longer holds {kind}: " if share > 0.5 else ""
        return (
            max(0.0, share - reference.bad / reference.rows),
            p_value,
            f"{retyped}{share:.1%} of rows do not read as {kind}",
        )
