"""`leaflab backtest`: replays a table in time order under several policies of retraining."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Dataset, Metric, Tag
from leaflab.watch.frontier import page, table_of
from leaflab.watch.replay import Life, best_by_hindsight, checked, dominated, live
from leaflab.workflow.collect import collect
from leaflab.workflow.living import TableWorld, periods_of

if TYPE_CHECKING:
    from leaflab.values import Item
    from leaflab.workflow.lab import Lab

__all__ = ["Backtested", "backtest"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backtested:
    """How every policy fared; prints as one table."""

    metric: str
    lives: tuple[Life, ...]
    run_id: str
    exit_code: int = 0

    def __str__(self) -> str:
        best = best_by_hindsight(self.lives)
        lines = [
            table_of(self.metric, self.lives),
            f"Lowest prequential {self.metric} without hindsight: {best.policy}.",
        ]
        return "\n".join([*lines, f"Chart: backtest run {self.run_id}, report.html"])


def backtest(lab: Lab) -> Backtested:
    """Lives through the table once for every policy.

    Raises:
        ConfigError: an unknown policy, or a period that the table cannot be cut into.
        DataError: too few periods.
    """
    policies, asked = checked(lab.backtest.policy), lab.backtest
    world = _world(lab)
    lives = []
    for policy in policies:
        life = live(world, policy, start=asked.start, delay=asked.delay, recent=asked.recent, cool_down=asked.cool_down)
        _log.info(
            "%s: %s %.4f, %d retrains, %.1f s", policy, world.metric, life.loss, len(life.retrained), life.seconds
        )
        lives.append(life)
    with lab.tracking.start(RunSpec(lab.name, "backtest", f"backtest {lab.name}")) as run:
        run.log(_items(world.metric, lives, asked.start))
    return Backtested(world.metric, tuple(lives), run.id)


def _world(lab: Lab) -> TableWorld:
    raw = collect(lab)
    prepared = lab.prepare.clean(raw.table, lab.dataset, ())
    for note in prepared.notes:
        _log.info("  %s", note)
    time, table = lab.dataset.time, prepared.table
    if time:
        table = table.take(np.argsort(table[time].to_pandas().to_numpy(), kind="stable"))
    empty = {part: table.slice(0, 0) for part in ("train", "valid", "test")}
    dataset = Dataset(raw.name, prepared.task, prepared.roles, prepared.classes, prepared.columns, empty, {},
                      features=prepared.features, facts=prepared.facts, monotone=prepared.monotone)  # fmt: skip
    return TableWorld(lab, dataset, table, periods_of(lab, table))


def _items(metric: str, lives: list[Life], start: int) -> Iterator[Item]:
    for life in lives:
        name = life.policy.replace(":", "_")
        for step, mean in enumerate(life.means):
            yield Metric(f"{name}/{metric}", mean, start + step)
        yield Metric(f"{name}/prequential_{metric}", life.loss)
        yield Metric(f"{name}/retrains", len(life.retrained))
        yield Metric(f"{name}/training_seconds", life.seconds)
    yield Tag("leaflab.dominated", ", ".join(sorted(dominated(lives))))
    yield Artifact("report.html", page(metric, lives, start))
