"""What the looks at current rows found, and the closing screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaflab.values import Version
    from leaflab.watch.alarms import Alarm
    from leaflab.watch.policy import Decision

__all__ = ["Monitored"]

_SHOWN = 10


@dataclass(frozen=True)
class Monitored:
    """What the looks at the current rows found; exit code 3 where an alarm calls.

    Args:
        version: the model.
        run_id: its monitor run.
        looks: windows looked at.
        alarms: those still open.
        decision: whether to retrain; `retrained` says what came of it.
    """

    version: Version
    run_id: str
    looks: int
    alarms: tuple[Alarm, ...]
    decision: Decision
    retrained: str = ""

    @property
    def exit_code(self) -> int:
        return 3 if any(alarm.calls for alarm in self.alarms) else 0

    @property
    def headline(self) -> str:
        calling = [alarm for alarm in self.alarms if alarm.calls]
        return f"{len(calling)} alarm{'s' if len(calling) != 1 else ''}" if calling else "quiet"

    def __str__(self) -> str:
        lines = [f"{self.version}: {self.headline} after {self.looks} look{'s' if self.looks != 1 else ''}."]
        lines += [
            f"  {a.id} {a.severity:8} {a.cause}{'' if a.calls else ' (acknowledged)'}" for a in self.alarms[:_SHOWN]
        ]
        hidden = len(self.alarms) - _SHOWN
        lines += [f"  and {hidden} more, in the report"] if hidden > 0 else []
        lines.append(f"Retraining: {self.decision.why.rstrip('.')}.")
        lines += [f"Retrained: {self.retrained}."] if self.retrained else []
        return "\n".join([*lines, f"Report: monitor run {self.run_id}, report.html"])
