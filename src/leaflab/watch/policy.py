"""Whether to retrain: a policy, a cool-down, and what is to be gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from leaflab.watch.alarms import Alarm

__all__ = ["Decision", "Policy", "decide"]

Policy = Literal["never", "on_alarm", "schedule", "budgeted"]
_CALLING = ("performance", "concept", "labels", "prediction", "data")


@dataclass(frozen=True)
class Decision:
    """Whether to retrain, why, and the share of the loss that a return to form would take off."""

    retrain: bool
    why: str
    expected_gain: float = 0.0


def decide(
    policy: Policy, alarms: Sequence[Alarm], *, drop: float, since: float | None, every: float, budget: float | None
) -> Decision:
    """What a policy says now.

    Args:
        policy: "never"; "on_alarm" for an alarm that new data may cure; "schedule" every so often; "budgeted" as
            "on_alarm" while training seconds are left and the expected gain is worth them.
        alarms: the open ones.
        drop: the rise of the loss against the reference (0.1 is ten percent), realised where known, else estimated.
        since: seconds since the last training; None where it is not known.
        every: seconds between two trainings: the schedule, and the cool-down of the others.
        budget: training seconds left; None where there is no limit.
    """
    gain = max(0.0, drop) / (1 + max(0.0, drop))
    calling = [alarm for alarm in alarms if alarm.open and alarm.family in _CALLING]
    if policy == "never":
        return Decision(False, "the policy is never to retrain", gain)
    if since is not None and since < every:
        return Decision(
            False, f"the last training is {since / 86400:.1f} days old, the policy waits {every / 86400:.1f}", gain
        )
    if policy == "schedule":
        return Decision(True, f"the schedule asks for a training every {every / 86400:.1f} days", gain)
    if not calling:
        return Decision(False, "no open alarm that new data may cure", gain)
    if policy == "budgeted" and budget is not None and budget <= 0:
        return Decision(False, "the training budget is spent", gain)
    if policy == "budgeted" and gain < 0.01:
        return Decision(False, f"the expected gain of {gain:.1%} is not worth the training", gain)
    return Decision(
        True, f"{len(calling)} open alarm{'s' if len(calling) > 1 else ''}, first: {calling[0].cause}", gain
    )
