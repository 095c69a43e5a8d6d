"""Tables on their way: what the columns are for, a raw version, a prepared dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from leaflab.errors import ConfigError
from leaflab.option import option

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Column

__all__ = ["PARTS", "ROW_ID", "Dataset", "Part", "Raw", "Roles", "Task", "roles_key"]

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
        load: reads the rows; `table` does so once, when first asked.
        uri: where the source found it.
        rows: rows in the table.
        quarantined: lines set aside while reading.
    """

    name: str
    version: int
    digest: str
    load: Callable[[], pa.Table]
    uri: str = ""
    rows: int = 0
    quarantined: int = 0

    @cached_property
    def table(self) -> pa.Table:
        """The rows."""
        return self.load()

    def __str__(self) -> str:
        aside = f", {self.quarantined:,} lines in quarantine/{self.name}" if self.quarantined else ""
        return (
            f"raw/{self.name} version {self.version}: {self.rows:,} rows{aside}, digest {self.digest or 'not computed'}"
        )


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
