"""The replay of time: who trains when, on what, and what counts as better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from leaflab.errors import ConfigError
from leaflab.watch.frontier import Training, learning, page, spent, table_of
from leaflab.watch.replay import Life, best_by_hindsight, checked, dominated, live


@dataclass
class Stage:
    first: int
    last: int
    seconds: float = 2.0


class Breaking:
    """A concept that changes for good at period 6: models that learnt from before lose more from then on."""

    periods = 12
    change = 6

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def learn(self, first: int, last: int) -> Stage:
        self.asked.append((first, last))
        return Stage(first, last)

    def losses(self, stage: Stage, period: int) -> np.ndarray:
        stale = period >= self.change and stage.last <= self.change
        return np.full(10, 1.0 if stale else 0.2)

    def alarm(self, stage: Stage, labelled: int, now: int) -> str:
        return "worse" if self.losses(stage, labelled).mean() > 0.5 else ""

    def better(self, challenger: Stage, champion: Stage) -> bool:
        return challenger.last > champion.last


def lived(policy: str, delay: int = 1, recent: int | None = None, cool_down: int = 0) -> tuple[Life, Breaking]:
    world = Breaking()
    return live(world, policy, start=3, delay=delay, recent=recent, cool_down=cool_down), world


def test_never_never_trains_again() -> None:
    life, world = lived("never")
    assert (life.retrained, world.asked, len(life.means)) == ([], [(0, 3)], 9)
    assert life.loss == pytest.approx((3 * 0.2 + 6 * 1.0) / 9)


def test_an_alarm_waits_for_labels_and_cures() -> None:
    life, world = lived("on_alarm")
    assert life.retrained == [7]
    assert world.asked[-1] == (0, 7)
    assert life.loss == pytest.approx((7 * 0.2 + 2 * 1.0) / 9)
    late, _ = lived("on_alarm", delay=2)
    assert late.retrained == [8]
    assert late.loss > life.loss


def test_a_schedule_trains_by_the_calendar_on_what_is_known() -> None:
    life, world = lived("schedule:3", recent=2)
    assert life.retrained == [5, 8]
    assert world.asked[1:] == [(3, 5), (6, 8)]
    assert life.seconds == 6.0


def test_the_oracle_trains_only_where_it_helps_next() -> None:
    life, _ = lived("oracle")
    assert life.retrained == [7]


def test_on_alarm_is_not_dominated_where_one_change_happens() -> None:
    lives = [
        lived(policy)[0] for policy in ("never", "schedule:1", "schedule:2", "schedule:3", "schedule:6", "on_alarm")
    ]
    assert "on_alarm" not in dominated(lives)
    assert "schedule:1" in dominated(lives)
    assert best_by_hindsight(lives).loss <= lives[0].loss
    assert "on_alarm" in table_of("log_loss", lives)
    assert page("log_loss", lives, 3).count("<svg") == 1


def test_unknown_policies_are_named() -> None:
    assert checked(["never", "schedule:2"]) == ["never", "schedule:2"]
    with pytest.raises(ConfigError, match=r"`backtest\.policy` must name policies, got 'always'"):
        checked(["always"])
    with pytest.raises(ConfigError, match="got 'schedule:0'"):
        checked(["schedule:0"])


def test_the_ledger_adds_up_seconds_and_gains() -> None:
    lines = spent(
        [Training("b", 2, 30, 0.1, 0.4), Training("a", 1, 60, 0.2, 0.5), Training("c", 3, 10, 0.1, None)], lower=True
    )
    assert [line["training"] for line in lines] == ["a", "b", "c"]
    assert [line["total"] for line in lines] == [60, 90, 100]
    assert lines[1]["gained"] == pytest.approx(0.1)
    assert lines[2]["best"] == 0.4
    assert learning([], "log_loss") is None
    assert "learning time" in (learning(lines, "log_loss") or "")
