"""Time replayed as production would have lived it: predict, wait for labels, look, retrain, promote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from leaflab.errors import ConfigError

__all__ = ["Life", "Stage", "World", "best_by_hindsight", "checked", "dominated", "live"]


class Stage(Protocol):
    """A model trained at one point of time on the periods from `first` to before `last`, in `seconds`."""

    first: int
    last: int
    seconds: float


class World(Protocol):
    """What happens: periods 0 to `periods` - 1, each with rows, and models that learn from some of them."""

    periods: int

    def learn(self, first: int, last: int) -> Stage:
        """A model of the periods from `first` to before `last`; the same question has the same answer."""

    def losses(self, stage: Stage, period: int) -> np.ndarray:
        """The loss of each row of a period, shape (rows,)."""

    def alarm(self, stage: Stage, labelled: int, now: int) -> str:
        """What a monitor says of a model: a cause, or "" where all is quiet.

        Args:
            stage: the model.
            labelled: the newest period whose labels are known.
            now: the newest period.
        """

    def better(self, challenger: Stage, champion: Stage) -> bool:
        """Whether the gate lets the challenger pass, on rows that neither has seen."""


@dataclass
class Life:
    """How one policy fared.

    Args:
        policy: its name.
        means: mean loss of each period, from the first predicted one on.
        rows: rows of these periods.
        retrained: periods after which it trained; `promoted` those after which the new model was used.
        seconds: training seconds, the first model's included.
        causes: what led to each training.
    """

    policy: str
    means: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    retrained: list[int] = field(default_factory=list)
    promoted: list[int] = field(default_factory=list)
    seconds: float = 0.0
    causes: list[str] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """Prequential loss: the mean over all predicted rows, each predicted before its label was used."""
        return float(np.average(self.means, weights=self.rows))


def checked(policies: Sequence[str]) -> list[str]:
    """Names of policies, each of a known kind.

    Raises:
        ConfigError: an unknown policy.
    """
    for policy in policies:
        kind, _, number = policy.partition(":")
        if kind not in ("never", "schedule", "on_alarm", "oracle") or (
            number and not (number.isdigit() and int(number))
        ):
            hint = "known ones are never, schedule:N (every N periods), on_alarm and oracle"
            raise ConfigError("`backtest.policy`", "must name policies", got=policy, hint=hint)
    return list(policies)


def live(world: World, policy: str, *, start: int, delay: int, recent: int | None, cool_down: int) -> Life:
    """One policy from the first prediction to the last.

    Args:
        world: what happens.
        policy: "never", "schedule:N", "on_alarm" or "oracle" (a training is kept only where the next period's loss,
            which nobody can know yet, is the lower for it).
        start: periods that the first model learns from.
        delay: periods until labels are known.
        recent: periods that a retraining learns from; None takes all.
        cool_down: periods between two trainings on alarm.
    """
    kind, _, number = policy.partition(":")
    every, life = int(number or 1), Life(policy)
    champion = world.learn(0, start)
    life.seconds, trained = champion.seconds, start - 1
    for now in range(start, world.periods):
        losses = world.losses(champion, now)
        life.means.append(float(losses.mean()))
        life.rows.append(len(losses))
        known = now - delay + 1
        if now == world.periods - 1 or known <= champion.last or kind == "never":
            continue
        cause = ""
        if kind == "oracle" or (kind == "schedule" and now - trained >= every):
            cause = kind
        elif kind == "on_alarm" and now - trained > cool_down:
            cause = world.alarm(champion, known - 1, now)
        if not cause:
            continue
        challenger = world.learn(max(0, known - recent) if recent else 0, known)
        passes = world.better(challenger, champion)
        if kind == "oracle":
            passes = world.losses(challenger, now + 1).mean() < world.losses(champion, now + 1).mean()
            if not passes:
                continue
        trained = now
        life.retrained.append(now)
        life.causes.append(cause)
        life.seconds += challenger.seconds
        if passes:
            life.promoted.append(now)
            champion = challenger
    return life


def dominated(lives: Sequence[Life]) -> set[str]:
    """Policies that another beats in retrains or in loss and is no worse in the other."""
    points = {life.policy: (len(life.retrained), life.loss) for life in lives}
    return {
        name
        for name, (count, loss) in points.items()
        if any(c <= count and v <= loss and (c, v) != (count, loss) for c, v in points.values())
    }


def best_by_hindsight(lives: Sequence[Life]) -> Life:
    """The policy with the lowest prequential loss that does not look ahead."""
    return min((life for life in lives if life.policy != "oracle"), key=lambda life: life.loss)
