"""Frozen records that cross rooms; no behaviour beyond what a record knows of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaflab.errors import ConfigError
from leaflab.option import option

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from leaflab.metric.base import Metric as Scoring
    from leaflab.scorer import Column

__all__ = [
    "PARTS",
    "ROW_ID",
    "Artifact",
    "Dataset",
    "Evidence",
    "Input",
    "Item",
    "Judged",
    "Metric",
    "Model",
    "Param",
    "Part",
    "Raw",
    "Roles",
    "State",
    "Tag",
    "Task",
    "Trial",
    "Verdict",
    "Version",
]

Task = Literal["binary", "multiclass", "regression"]
Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
ROW_ID = "row_id"


@option
class Roles:
    """What the columns of a table are for (`dataset.*`).

    Args:
        name: the dataset's name; null takes the source's (a file's stem) or the experiment's.
        target: the column to predict.
        task: "auto" finds it from the target.
        positive: the label of the positive class of a binary task; null: yes, true or 1, else the rarer.
        weight: column of row weights, not a feature.
        time: column that orders rows; it stays a feature through its parts.
        group: column whose values must not straddle train, valid and test.
        id: columns that identify a row, not features; null makes an id from the row's content.
        drop: columns left out.
    """

    name: str | None = None
    target: str | None = None
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive: str | bool | int | float | None = None
    weight: str | None = None
    time: str | None = None
    group: str | None = None
    id: list[str] | str | None = None
    drop: list[str] | str | None = None

    @property
    def ids(self) -> list[str]:
        return _listed(self.id)

    @property
    def dropped(self) -> list[str]:
        return _listed(self.drop)

    @property
    def goal(self) -> str:
        """The target's name.

        Raises:
            ConfigError: no target was given.
        """
        if not self.target:
            hint = "name the column to predict, as in dataset.target=price"
            raise ConfigError("`dataset.target`", "is not set", hint=hint)
        return self.target

    def resolved(self, **known: Any) -> Roles:
        """The same roles with what was found out filled in (name, task, positive)."""
        return replace(self, **known)


def _listed(value: list[str] | str | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True)
class Raw:
    """One version of a raw table: what a source gave, as the lake keeps it.

    Args:
        name: the lake table is `raw/<name>`.
        version: the lake's version number.
        digest: content digest of the table (32 hex characters).
        table: the rows.
        uri: where the source found it.
        rows: rows in the table.
        quarantined: lines set aside while reading.
    """

    name: str
    version: int
    digest: str
    table: pa.Table
    uri: str = ""
    rows: int = 0
    quarantined: int = 0


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset: three typed tables and everything later rooms must know of them.

    The tables hold, typed: `row_id` (text), the feature columns, the target, and the weight, time and group columns
    where named; a null target never occurs.

    Args:
        name: dataset name; the lake tables are `dataset/<name>/<part>`.
        task: resolved task.
        roles: resolved roles.
        classes: labels in the order of model outputs, the positive one last for a binary task; () for regression.
        columns: the model's input columns and the rules that type them from the raw table.
        parts: "train", "valid" and "test" to table; an empty table where a part is not wanted.
        digests: the same keys to content digest.
        versions: the same keys to lake version.
        raw: lineage of the raw table ({"table", "version", "digest", "uri"}).
        features: options of the encoders a model fits ({"encode": "native", …}), as plain values.
        facts: what prepare found (rows in, out, duplicates, quarantined by rule, leaks, …), as plain values.
        monotone: feature name to -1 or 1.
    """

    name: str
    task: Task
    roles: Roles
    classes: tuple[Any, ...]
    columns: tuple[Column, ...]
    parts: Mapping[str, pa.Table]
    digests: Mapping[str, str]
    versions: Mapping[str, int] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    monotone: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Digests of the three parts and the roles, folded (32 hex characters)."""
        from leaflab.identity import fold

        return fold({"parts": dict(self.digests), "roles": roles_key(self.roles)})

    @property
    def target(self) -> str:
        return self.roles.goal

    @property
    def outputs(self) -> int:
        """Width of a model's answer: 1 for regression, else the number of classes."""
        return max(1, len(self.classes))

    def rows(self, part: str) -> int:
        return int(self.parts[part].num_rows)

    def __str__(self) -> str:
        sizes = ", ".join(f"{part} {self.rows(part):,}" for part in PARTS)
        return f"dataset {self.name} ({self.id[:8]}): {self.task}, {len(self.columns)} features, {sizes} rows"


def roles_key(roles: Roles) -> dict[str, Any]:
    """The roles that identify a dataset."""
    return {
        "target": roles.target,
        "task": roles.task,
        "positive": roles.positive,
        "time": roles.time,
        "group": roles.group,
        "weight": roles.weight,
        "id": roles.ids,
    }


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
        facts: other numbers (`best_iteration`, `fit_seconds`, `predict_ms_per_1k_rows`, `model_bytes`, `cpu_seconds`…).
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
class Param:
    """What was searched or overridden."""

    key: str
    value: Any


@dataclass(frozen=True)
class Metric:
    """A number by name (`valid/log_loss`); `step` orders the points of a curve."""

    key: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class Tag:
    """A text by name; a later one replaces it."""

    key: str
    value: str


@dataclass(frozen=True)
class Artifact:
    """A file of a run: its path inside the run, and its content or the local file that holds it."""

    path: str
    content: str | bytes | Path


@dataclass(frozen=True)
class Input:
    """A dataset part a run used: our digest, never MLflow's.

    Args:
        name: dataset name.
        digest: content digest of the part.
        context: "train", "valid", "test" or "raw".
        source: lake table and version (`lake/dataset/flights/train@3`).
        rows: number of rows.
        schema: column name to type.
    """

    name: str
    digest: str
    context: str
    source: str = ""
    rows: int = 0
    schema: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model of a run: scorer files by name, or a folder that holds them, and rows to show as its input example."""

    files: Mapping[str, str] | Path
    name: str = "model"
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    example: pa.Table | None = None


Item = Param | Metric | Tag | Artifact | Input | Model


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
