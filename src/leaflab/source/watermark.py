"""How far a source was read, so that the next read brings the rows that came since, each once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Watermark"]


@dataclass
class Watermark:
    """The highest value seen, and which rows had it: others with the same value may come later.

    Args:
        value: the highest value; None before the first row.
        rows: ids of the rows that hold it, and of rows without a value, with how often each was seen.

    >>> mark = Watermark()
    >>> mark.see([{"id": 1, "x": "a"}, {"id": 2, "x": "b"}], "id")
    >>> mark.fresh([{"id": 2, "x": "b"}, {"id": 2, "x": "new"}, {"id": 3, "x": "c"}], "id")
    [{'id': 2, 'x': 'new'}, {'id': 3, 'x': 'c'}]
    """

    value: Any = None
    rows: Counter[str] = field(default_factory=Counter)

    def see(self, rows: Iterable[Mapping[str, Any]], column: str | None) -> None:
        """Takes note of rows that were read."""
        for row in rows if column else ():
            value = row[str(column)]
            if value is not None and (self.value is None or value > self.value):
                self.value = value
                self.rows = Counter({key: n for key, n in self.rows.items() if key.startswith("-")})
            if value is None or value == self.value:
                self.rows[_id(row, value)] += 1

    def fresh(self, rows: Sequence[dict[str, Any]], column: str | None) -> list[dict[str, Any]]:
        """The rows that were not seen before."""
        if not column or not self.rows:
            return list(rows)
        known, out = self.rows.copy(), []
        for row in rows:
            key = _id(row, row[column])
            if known[key] > 0:
                known[key] -= 1
            else:
                out.append(row)
        self.rows = known
        return out

    def to_json(self) -> dict[str, Any]:
        """The mark as plain JSON."""
        value = {"time": self.value.isoformat()} if isinstance(self.value, dt.datetime) else self.value
        value = {"date": self.value.isoformat()} if type(self.value) is dt.date else value
        return {"value": value, "rows": dict(self.rows)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Watermark:
        """The mark that `to_json` gave."""
        value = plain["value"]
        if isinstance(value, Mapping):
            ((kind, text),) = value.items()
            value = dt.datetime.fromisoformat(text) if kind == "time" else dt.date.fromisoformat(text)
        return cls(value, Counter(plain["rows"]))


def _id(row: Mapping[str, Any], value: Any) -> str:
    """A row's id; that of a row without a value starts with a dash."""
    text = repr(sorted(row.items(), key=lambda item: item[0]))
    return ("-" if value is None else "") + hashlib.sha256(text.encode()).hexdigest()[:16]
