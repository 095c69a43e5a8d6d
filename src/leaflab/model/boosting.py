"""One booster, grown round by round under a deadline, with early stopping and reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from leaflab.metric.base import Metric

__all__ = ["Course", "Judge", "grow", "thinned"]

_CURVE = 100


@dataclass
class Course:
    """How a booster grew: its best round, the scores of the validation rows after it, and (round, value) of each."""

    state: str = "complete"
    best: float = float("inf")
    best_round: int = 0
    scores: np.ndarray | None = None
    rounds: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Judge:
    """Scores the validation rows after each round: LightGBM's own metric where it has one of the same meaning.

    LightGBM keeps the scores of these rows while it learns: reading them off spares predicting them later, with all
    trees of the best round. They lie in `scores` until the next round.
    """

    metric: Metric
    task: str
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def native(self) -> str | None:
        return self.metric.lightgbm.get(self.task)  # type: ignore[call-overload]

    @property
    def sign(self) -> float:
        return 1.0 if self.metric.direction == "minimize" else -1.0

    def value(self, booster: Any) -> float:
        """The metric on the validation rows, as it is."""
        return float(booster.eval_valid(self._feval)[0][2])

    def _feval(self, raw: np.ndarray, data: Any) -> tuple[str, float, bool]:
        self.scores = raw
        if self.native:
            return "scores", 0.0, False
        scores = np.column_stack([1.0 - raw, raw]) if self.task == "binary" else raw
        return "value", self.metric.score(data.get_label(), scores, data.get_weight()), False


def grow(
    booster: Any,
    judge: Judge | None,
    *,
    rounds: int,
    patience: int,
    deadline: float | None,
    report: Callable[[int, float], str],
) -> Course:
    """Adds trees until the metric has not improved for `patience` rounds, or told to stop.

    Args:
        booster: a LightGBM booster, with its validation rows added where there is a judge.
        judge: None: no validation rows, so all rounds are grown.
        rounds: the most rounds.
        patience: rounds without improvement before stopping.
        deadline: monotonic second at which to stop with what there is; None for none.
        report: called with the round and the metric (NaN without a judge); answers "" to go on, else the state to end
            in.
    """
    course = Course()
    for number in range(1, rounds + 1):
        finished = booster.update()
        course.rounds = number
        value = float("nan")
        if judge is not None:
            value = judge.value(booster)
            course.curve.append((number, value))
            if judge.sign * value < course.best:
                course.best, course.best_round = judge.sign * value, number
                course.scores = np.array(judge.scores, order="C")
        if told := report(number, value):
            course.state = told
            break
        if finished or (judge is not None and number - course.best_round >= patience):
            break
        if deadline is not None and time.monotonic() >= deadline:
            course.state = "deadline"
            break
    if judge is None:
        course.best_round = course.rounds
    return course


def thinned(curve: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most 100 points of a curve, its ends among them."""
    if len(curve) <= _CURVE:
        return tuple(curve)
    return tuple(curve[i] for i in np.unique(np.linspace(0, len(curve) - 1, _CURVE).round().astype(int)))
