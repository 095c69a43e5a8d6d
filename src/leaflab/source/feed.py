"""From a spool of messages to micro-batches for the lake, each message in exactly one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.source.base import BadLine
from leaflab.source.spool import Message, Place

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.source.payload import Payload, Row
    from leaflab.source.spool import Spool

__all__ = ["Drawn", "Feed"]

_REMEMBERED = 1_000_000


@dataclass(frozen=True)
class Drawn:
    """A micro-batch.

    Args:
        rows: new rows in the order of their times, or None where there is none.
        bad: messages that are no rows, with their number since the first collect.
        mark: how far the spool is read with this batch, as plain JSON.
        messages: how many messages it took.
        late: rows older than one that came before from the same device.
        repeated: messages delivered before, left out.
    """

    rows: pa.Table | None
    bad: list[BadLine]
    mark: dict[str, int]
    messages: int
    late: int = 0
    repeated: int = 0


class Feed:
    """Reads on in a spool from where the lake stands.

    Args:
        spool: the messages.
        payload: how they become rows.
        mark: how far the lake has them; {} for nowhere.
        columns: columns of the lake's table with their types; {} where there is no table yet.
        known: (device…, time) of rows the lake has, for telling second deliveries.
        grow: whether a field without a column makes one; else its message is bad.
    """

    def __init__(
        self,
        spool: Spool,
        payload: Payload,
        mark: Mapping[str, int],
        columns: Mapping[str, pa.DataType],
        known: Iterable[tuple[Any, ...]],
        *,
        grow: bool,
    ) -> None:
        self._spool, self._payload, self._grow = spool, payload, grow
        self._place = Place(mark.get("segment", 1), mark.get("offset", 0))
        self._count = mark.get("messages", 0)
        self._columns = dict(columns)
        self._names = {name.casefold(): name for name in columns}
        self._seen = dict.fromkeys(known)
        self._twins = {_twin(message): None for message in spool.before(self._place)}
        self._latest: dict[tuple[Any, ...], dt.datetime] = {}

    def draw(self, limit: int) -> Drawn:
        """The next messages, at most `limit`; nothing is forgotten before `done`."""
        messages, place = self._spool.read(self._place, limit)
        rows: list[Row] = []
        bad: list[BadLine] = []
        late = repeated = 0
        for number, message in enumerate(messages, self._count + 1):
            try:
                row = self._payload.row(message)
                self._fit(row)
            except (ValueError, KeyError) as error:
                raw = message.payload.decode("utf-8", errors="backslashreplace")
                bad.append(BadLine(number, f"the message {error}"[:300], raw, message.topic))
                continue
            if self._is_repeated(message, row):
                repeated += 1
                continue
            late += self._is_late(row)
            rows.append(row)
        self._place, self._count = place, self._count + len(messages)
        mark = {"segment": place.segment, "offset": place.offset, "messages": self._count}
        return Drawn(self._table(rows) if rows else None, bad, mark, len(messages), late, repeated)

    def done(self) -> None:
        """The lake has everything drawn so far."""
        self._spool.forget(self._place)
        _trim(self._seen)
        _trim(self._twins)

    def _key(self, row: Row) -> tuple[Any, ...]:
        return (*(row.get(name) for name in self._payload.device), row[self._payload.time])

    def _is_repeated(self, message: Message, row: Row) -> bool:
        """Whether a row with this device and time came before, or the broker itself says that it delivers again."""
        key, twin = self._key(row), _twin(message)
        repeated = key in self._seen or (message.again and twin in self._twins)
        self._seen[key] = self._twins[twin] = None
        return repeated

    def _is_late(self, row: Row) -> bool:
        *device, when = self._key(row)
        latest = self._latest.setdefault(tuple(device), when)
        self._latest[tuple(device)] = max(latest, when)
        return bool(when < latest)

    def _fit(self, row: Row) -> None:
        """Checks a row against the columns and adds those that are new.

        Raises:
            ValueError: a field is new and may not be added, its name differs from another's only in case, or its value
                is of another type than before.
        """
        new: dict[str, pa.DataType] = {}
        names: dict[str, str] = {}
        for name, value in row.items():
            if value is None:
                continue
            kind, has = _type(value), self._columns.get(name)
            if has is None:
                if self._columns and not self._grow:
                    raise ValueError(f"has a field {name!r} that is no column")
                folded = name.casefold()
                if (twin := self._names.get(folded) or names.setdefault(folded, name)) != name:
                    raise ValueError(f"has a field {name!r}, which differs from {twin!r} only in case")
                new[name] = kind
            elif has != kind:
                raise ValueError(f"has {value!r} for {name!r}, which is {has}")
        self._columns |= new
        self._names |= names

    def _table(self, rows: list[Row]) -> pa.Table:
        import pyarrow as pa

        rows.sort(key=lambda row: row[self._payload.time])
        schema = pa.schema(list(self._columns.items()))
        return pa.table([pa.array([row.get(f.name) for row in rows], f.type) for f in schema], schema=schema)


def _twin(message: Message) -> int:
    return hash((message.topic, message.payload))


def _trim(memory: dict[Any, None]) -> None:
    """Forgets what was remembered first."""
    for key in list(memory)[: max(0, len(memory) - _REMEMBERED)]:
        del memory[key]


def _type(value: Any) -> pa.DataType:
    import pyarrow as pa

    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, float):
        return pa.float64()
    return pa.timestamp("us", "UTC") if isinstance(value, dt.datetime) else pa.string()
