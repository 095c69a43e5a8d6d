"""Models on their way: a trial, a registered version, the evidence gates judge, and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from leaflab.metric.base import Metric as Scoring
    from leaflab.values.data import Dataset

__all__ = ["Evidence", "Judged", "Seeds", "State", "Trial", "Verdict", "Version"]

State = Literal["complete", "pruned", "failed", "deadline"]


@dataclass(frozen=True)
class Trial:
    """One finished trial of a sweep, as the study knows it.

    Args:
        number: 0, 1, …; the key of the trial within its sweep.
        state: "deadline" is a trial cut by the end of the budget whose best iteration still counts.
        params: what was searched, resolved.
        value: the objective on the validation rows; None where the trial failed.
        metrics: every metric by name without its split (`log_loss`), on the validation rows.
        curve: (boosting round, objective) pairs, thinned to at most 100.
        started: seconds since the epoch.
        seconds: wall-clock seconds of the trial; `facts` has the phases.
        facts: other numbers (`best_iteration`, `fit_seconds`, `predict_ms_per_1k_rows`, `size_bytes`, `cpu_seconds`…).
        seed: the trial's own seed.
        error: a failed trial's traceback.
        files: the trial's model as scorer files, or a folder that holds them, or None.
    """

    number: int
    state: State
    params: Mapping[str, Any]
    value: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[tuple[int, float]] = ()
    started: float = 0.0
    seconds: float = 0.0
    facts: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    error: str = ""
    files: Mapping[str, str] | Path | None = None


@dataclass(frozen=True)
class Version:
    """A registered model version.

    Args:
        name: the registered model.
        number: 1, 2, …
        run_id: the run that made it.
        model_uri: where its model lies (`models:/m-…`).
        aliases: the aliases that point to it now.
        tags: its tags.
        created: seconds since the epoch.
    """

    name: str
    number: int
    run_id: str
    model_uri: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


@dataclass(frozen=True)
class Verdict:
    """What a gate or a drift test says.

    Args:
        name: the gate's or test's name.
        outcome: "passed", "failed" or "not applicable".
        sentence: the numbers and the reason, one sentence.
        numbers: the same numbers, by name.
    """

    name: str
    outcome: Literal["passed", "failed", "not applicable"]
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Seeds:
    """How far another seed would move a model's loss.

    Args:
        variance: of the loss between models that differ by their seeds alone.
        freedom: how many differences it was read off; 0 where no seed plays a part.
    """

    variance: float
    freedom: int


@dataclass(frozen=True)
class Judged:
    """One model on the rows of a comparison.

    Args:
        label: "challenger", "champion", "dummy", "linear".
        scores: shape (rows,) or (rows, classes), in the order of `Evidence.truth`.
        metrics: every metric by name.
        facts: seconds, bytes, versions, tags: whatever a gate may ask of the model.
    """

    label: str
    scores: np.ndarray
    metrics: Mapping[str, float]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What gates judge: models scored on the same rows, which none of them was trained or tuned on.

    Args:
        dataset: the challenger's dataset.
        table: the rows compared, typed.
        truth: class codes or values, shape (rows,).
        weight: row weights, or None.
        challenger: the model that asks for the alias.
        champion: the one that holds it, or None; `champion_note` says why there is none to compare with.
        baselines: the dummy and the linear model.
        metric: the deciding metric.
        looks: how often this test set was looked at before.
        extra: other records a gate may ask for (parity report, leaks, …).
    """

    dataset: Dataset
    table: pa.Table
    truth: np.ndarray
    weight: np.ndarray | None
    challenger: Judged
    champion: Judged | None
    baselines: Mapping[str, Judged]
    metric: Scoring
    champion_note: str = ""
    looks: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
