"""A model learns a problem at a bench, and becomes a predictor that ships."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.model.problem import Fold, Problem

if TYPE_CHECKING:
    from leaflab.executor.base import Bench
    from leaflab.scorer.predictor import Predictor

__all__ = ["Fitted", "Fold", "Model", "Problem"]


@dataclass(frozen=True)
class Fitted:
    """What a bench answers to a fit: one entry a fold in `values`, `rounds`, `models` and `scores`; paths are of files.

    `state` is "complete", "deadline", or what it was told to end in.
    """

    state: str
    value: float | None
    values: tuple[float, ...] = ()
    rounds: tuple[int, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[tuple[int, float], ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    models: tuple[Path, ...] = ()
    scores: tuple[Path, ...] = ()


class Model(ABC):
    """Contract: the same fit gives the same model; an unknown parameter is refused by name before the first fit."""

    @abstractmethod
    def bench(self, problem: Problem, folds: Sequence[Fold], folder: Path, bins: str) -> Bench:
        """Writes what workers need into `folder`; `bins` is "shared" over all rows or "per_fold"."""

    @abstractmethod
    def predictor(self, texts: Sequence[str], weights: Sequence[float]) -> Predictor:
        """The weighted average of fitted models, from the texts they were written as."""

    def check(self, problem: Problem, values: Mapping[str, Sequence[Any]]) -> None:  # noqa: B027 - may take anything
        """Refuses parameters the model does not have, and values that they cannot take, alone or for the problem."""

    def space(self, problem: Problem, default: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is searched; a model may leave out what cannot matter, or have its own."""
        return default

    def portfolio(self, problem: Problem) -> list[dict[str, Any]]:
        """Parameters to try first, the model's defaults among them."""
        return [{}]

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What a parameter is where it is not given, for those that may be searched."""
        return {}

    @property
    def most_pairs(self) -> int:
        """The most features made of pairs of columns that its fits may ask for."""
        return 0

    @property
    def blends(self) -> bool:
        """Whether several fitted models may be averaged into one."""
        return False

    def varies(self, params: Mapping[str, Any]) -> bool:
        """Whether another seed makes another model."""
        return False
