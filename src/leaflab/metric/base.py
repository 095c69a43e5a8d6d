"""A metric scores answers against the truth, and knows which way is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np

    from leaflab.values import Task

__all__ = ["Metric"]


class Metric(ABC):
    """Contract: finite for valid input, unchanged by a permutation of rows, best for a perfect answer.

    Attributes:
        name: as it stands after the slash in MLflow (`valid/<name>`).
        direction: "minimize" or "maximize".
        tasks: the tasks it applies to.
        proba: whether it reads probabilities (else labels are taken as the likeliest class).
        lightgbm: LightGBM's own metric of the same meaning, or "" (then it is computed from predictions).
    """

    name: ClassVar[str]
    direction: ClassVar[Literal["minimize", "maximize"]]
    tasks: ClassVar[tuple[Task, ...]]
    proba: ClassVar[bool] = True
    lightgbm: ClassVar[str] = ""

    @abstractmethod
    def score(self, truth: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
        """The metric over rows.

        Args:
            truth: class codes 0…k-1 or values, shape (rows,).
            scores: probabilities, shape (rows, classes), or values, shape (rows,).
            weight: row weights, shape (rows,), or None.
        """
