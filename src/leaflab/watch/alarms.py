"""Alarms with a memory: first seen, last seen, acknowledged; told once, not at every look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError
from leaflab.identity import fold

if TYPE_CHECKING:
    from leaflab.watch.signals import Signal

__all__ = ["Alarm", "acknowledged", "merged", "raised"]


@dataclass(frozen=True)
class Alarm:
    """One thing that is wrong, through time.

    Args:
        id: eight characters from the family and the column, the same at every look.
        family, column: what it is about.
        severity: "critical" or "warning".
        cause: the sentence for people.
        first_seen, last_seen: seconds since the epoch.
        looks: how many looks in a row found it.
        acknowledged: somebody knows; it is listed and no longer calls.
        open: whether the last look still found it.
        shape: "sudden", "gradual", "recurring", or "" while there is too little history.
    """

    id: str
    family: str
    column: str
    severity: str
    cause: str
    first_seen: float
    last_seen: float
    looks: int = 1
    acknowledged: bool = False
    open: bool = True
    shape: str = ""

    @property
    def calls(self) -> bool:
        return self.open and not self.acknowledged

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def raised(signals: Iterable[Signal], now: float) -> list[Alarm]:
    """One alarm a family and column, told by its strongest signal."""
    found: dict[str, Alarm] = {}
    for signal in signals:
        if signal.alarm:
            finding = signal.finding
            column = finding.column if signal.family in ("schema", "data") else ""
            key = fold({"family": signal.family, "column": column})[:8]
            found.setdefault(key, Alarm(key, signal.family, column, signal.severity, _cause(signal), now, now))
    return list(found.values())


def merged(before: Sequence[Alarm], now: Sequence[Alarm]) -> list[Alarm]:
    """The alarms after one more look; one that went away and came back is open again and calls again."""
    known = {alarm.id: alarm for alarm in before}
    result = []
    for alarm in now:
        old = known.pop(alarm.id, None)
        if old is None:
            result.append(alarm)
        elif old.open:
            worse = alarm.severity == "critical" != old.severity
            kept = old.acknowledged and not worse
            result.append(replace(alarm, first_seen=old.first_seen, looks=old.looks + 1, acknowledged=kept))
        else:
            result.append(replace(alarm, shape="recurring"))
    return result + [replace(alarm, open=False, looks=0) for alarm in known.values()]


def acknowledged(alarms: Sequence[Alarm], ids: Sequence[str]) -> list[Alarm]:
    """The alarms with some acknowledged; `all` stands for every open one.

    Raises:
        ConfigError: no alarm has such an id.
    """
    known = {alarm.id for alarm in alarms}
    strange = [one for one in ids if one not in known and one != "all"]
    if strange:
        named = ", ".join(sorted(alarm.id for alarm in alarms if alarm.open)) or "none is open"
        raise ConfigError("`monitor.acknowledge`", "must name an alarm", got=strange[0], hint=f"open alarms: {named}")
    return [replace(a, acknowledged=a.acknowledged or a.id in ids or ("all" in ids and a.open)) for a in alarms]


def _cause(signal: Signal) -> str:
    text = signal.finding.sentence.rstrip(".")
    moved = f"; it moves the model's answers by {signal.impact:.0%} of their spread" if signal.impact > 0 else ""
    return f"{text}{moved}."
