"""A metric scores answers against the truth, and knows which way is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from leaflab.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from leaflab.values import Task

__all__ = ["Metric"]


class Metric(ABC):
    """Contract: finite for valid input, unchanged by a permutation of rows, best for a perfect answer.

    A metric that the rows cannot define (a ranking of one class) is NaN, never a made-up number.

    Attributes:
        name: as it stands after the slash in MLflow (`valid/<name>`).
        direction: "minimize" or "maximize".
        tasks: the tasks it applies to.
        proba: whether it reads probabilities (else labels are taken as the likeliest class).
        ordinal: whether it reads only the order of the scores.
        power: where the metric is a function of a mean, it is the mean to the power of 1 / `power`.
        lightgbm: task to LightGBM's own metric of the same meaning; a task without one is scored from predictions.
    """

    name: ClassVar[str]
    direction: ClassVar[Literal["minimize", "maximize"]]
    tasks: ClassVar[tuple[Task, ...]]
    proba: ClassVar[bool] = True
    lightgbm: ClassVar[Mapping[Task, str]] = {}
    ordinal: ClassVar[bool] = False
    power: ClassVar[float] = 1.0

    @abstractmethod
    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        """The metric over rows.

        Args:
            truth: class codes 0…k-1 or values, shape (rows,).
            scores: probabilities, shape (rows, classes), or values, shape (rows,).
            weight: row weights, shape (rows,), or None.
        """

    def rowwise(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
        """Each row's share, shape (rows,), where the metric is a function of their weighted mean; else None."""
        return None

    def loss(self, value: float) -> float:
        """A value as something to lower, 0 at best: itself, or its distance from 1."""
        return value if self.direction == "minimize" else 1.0 - value

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is strictly better than `other`."""
        return one < other if self.direction == "minimize" else one > other

    def resolve(self, task: Task) -> Metric | Self:
        """The metric for a task: itself.

        Raises:
            ConfigError: it does not apply to the task.
        """
        if task not in self.tasks:
            hint = f"`metric={self.name}` is for {' and '.join(self.tasks)}; leave it out to take the default"
            raise ConfigError("`metric`", f"must fit a {task} task", got=self.name, hint=hint)
        return self
