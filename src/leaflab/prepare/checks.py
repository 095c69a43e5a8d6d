"""Validation: what rows must satisfy, checked by pandera; what fails is set aside, told, or stops the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from leaflab.errors import ConfigError, DataError, ExtraError
from leaflab.option import option
from leaflab.prepare.features import Mapped

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from leaflab.values import Dataset

__all__ = ["Checks", "Failure", "inferred"]

_RULES = ("ge", "gt", "le", "lt", "isin", "notin", "regex", "unique", "not_null")
_SIGNS = {"<=": "le", "<": "lt", ">=": "ge", ">": "gt", "==": "eq", "!=": "ne"}
_MAX_LEVELS = 50


@dataclass(frozen=True)
class Failure:
    """Rows that break one rule: their places in the raw table, the rule's name and the sentence that says why."""

    rows: np.ndarray
    rule: str
    reason: str


@option
class Checks:
    """`prepare.checks`.

    Args:
        columns: column to rules: `ge`, `gt`, `le`, `lt` (bounds), `isin`, `notin` (lists), `regex`, `unique`,
            `not_null`.
        relations: comparisons of two columns, as in "start <= end"; a missing value satisfies them.
        rows: least and most rows of the raw table.
        max_age: oldest the newest row of `dataset.time` may be, as in "7 days".
        schema: YAML file of further `columns` rules, as every prepare run logs it (`schema.yaml`): a pinned schema.
        on_fail: what happens to rows that fail.
    """

    columns: Mapped[dict[str, Any]] = Field(default_factory=dict)
    relations: list[str] = Field(default_factory=list)
    rows: tuple[int, int | None] | None = None
    max_age: str | None = None
    schema: str | None = None
    on_fail: Literal["quarantine", "stop", "warn"] = "quarantine"

    @property
    def asked(self) -> bool:
        """Whether there is anything to check."""
        return bool(self.columns or self.relations or self.schema or self.rows or self.max_age)

    def named(self) -> set[str] | None:
        """The columns that the rules read; None where only the whole table can tell."""
        relations = [re.split(r"\s*(?:<=|>=|==|!=|<|>)\s*", text.strip()) for text in self.relations]
        if self.schema:
            return None
        return {*self.columns, *(name for pair in relations for name in pair)}

    def failures(self, frame: pd.DataFrame) -> list[Failure]:
        """The rows of a typed frame that fail, rule by rule.

        Raises:
            ConfigError: a rule that names no column, is unknown, contradicts another, or cannot be asked of a column.
        """
        rules = {**self._pinned(), **self.columns}
        for name, rule in rules.items():
            _refuse_nonsense(name, rule, frame)
        relations = [_parsed(text, frame) for text in self.relations]
        if not rules and not relations:
            return []
        return [*_failed(frame, rules), *(f for parts in relations for f in _related(frame, *parts))]

    def _pinned(self) -> dict[str, dict[str, Any]]:
        if not self.schema:
            return {}
        from pathlib import Path

        import yaml

        try:
            plain = yaml.safe_load(Path(self.schema).read_text(encoding="utf-8"))
            return {str(k): dict(v) for k, v in plain.items()}
        except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            key = "`prepare.checks.schema`"
            raise ConfigError(key, "must be a YAML file of rules by column", got=self.schema) from error

    def of_the_table(self, rows: int, newest: Any, time: str | None) -> None:
        """Checks how many rows there are and how old the newest is (`newest`, of the typed column `time`).

        Raises:
            ConfigError: `max_age` is no length of time, or there is no time column.
            DataError: too few or many rows, or too old a table.
        """
        import pandas as pd

        if self.rows is not None:
            least, most = self.rows
            if rows < least or (most is not None and rows > most):
                raise DataError("the table", f"must have {least} to {most or 'any number of'} rows", got=rows)
        if self.max_age is None:
            return
        if time is None or isinstance(newest, float):
            raise ConfigError("`prepare.checks.max_age`", "needs a time column", hint="name it as dataset.time=COLUMN")
        try:
            age = pd.Timedelta(self.max_age)
        except ValueError as error:
            raise ConfigError("`prepare.checks.max_age`", "must read like '7 days'", got=self.max_age) from error
        if pd.isna(newest) or newest < pd.Timestamp.now("UTC").tz_localize(None) - age:
            raise DataError(f"time column {time!r}", f"must not end more than {self.max_age} ago", got=str(newest))


def _refuse_nonsense(name: str, rule: Mapping[str, Any], frame: pd.DataFrame) -> None:
    key = f"`prepare.checks.columns.{name}`"
    if name not in frame.columns:
        raise ConfigError(key, "must name a column of the table", got=name)
    unknown = [k for k in rule if k not in _RULES]
    if unknown:
        raise ConfigError(key, f"knows only {', '.join(_RULES)}", got=unknown[0])
    low = [rule[k] for k in ("ge", "gt") if k in rule]
    high = [rule[k] for k in ("le", "lt") if k in rule]
    strict = "gt" in rule or "lt" in rule
    for word in ("isin", "notin"):
        if word in rule and not isinstance(rule[word], list | tuple):
            raise ConfigError(f"{key[:-1]}.{word}`", "must be a list of values", got=rule[word])
    try:
        re.compile(str(rule.get("regex", "")))
    except re.error as error:
        raise ConfigError(f"{key[:-1]}.regex`", f"must be a regular expression ({error})", got=rule["regex"]) from error
    if low and high and (max(low) > min(high) or (strict and max(low) == min(high))):
        raise ConfigError(key, "must not contradict itself", got=dict(rule))
    if set(rule.get("isin", ())) and set(rule["isin"]) <= set(rule.get("notin", ())):
        raise ConfigError(key, "must not contradict itself", got=dict(rule))


def _failed(frame: pd.DataFrame, rules: Mapping[str, Mapping[str, Any]]) -> Iterator[Failure]:
    try:
        import pandera.pandas as pandera
        from pandera.errors import SchemaErrors
    except ImportError as error:
        raise ExtraError("prepare.checks", "validate") from error
    makers = {"ge": pandera.Check.ge, "gt": pandera.Check.gt, "le": pandera.Check.le, "lt": pandera.Check.lt}
    makers |= {"isin": pandera.Check.isin, "notin": pandera.Check.notin, "regex": pandera.Check.str_matches}
    for name, rule in rules.items():
        checks = [makers[k](v) for k, v in rule.items() if k in makers]
        column = pandera.Column(
            None, checks, nullable=not rule.get("not_null", False), unique=rule.get("unique", False), name=name
        )
        try:
            pandera.DataFrameSchema({name: column}).validate(frame[[name]].reset_index(drop=True), lazy=True)
        except SchemaErrors as errors:
            yield from _told(name, errors.failure_cases, frame[name])


def _told(name: str, cases: pd.DataFrame, values: pd.Series[Any]) -> Iterator[Failure]:
    """Pandera's failure cases as ours, a rule each."""
    for check, group in cases.groupby("check", sort=False):
        word = str(check).partition("(")[0].removeprefix("str_")
        rule = {"greater_than_or_equal_to": "ge", "less_than_or_equal_to": "le", "greater_than": "gt"}.get(word, word)
        rule = {"less_than": "lt", "field_uniqueness": "unique", "not_nullable": "not_null"}.get(rule, rule)
        if group["index"].isna().any():
            raise DataError(f"column {name!r}", f"must hold values that {check} can judge", got=values.dropna().iloc[0])
        rows, case = group["index"].to_numpy("int64"), group["failure_case"].iloc[0]
        yield Failure(rows, f"{name}.{rule}", f"{name!r} must satisfy {check}, not so for {case!s}")


def _parsed(text: str, frame: pd.DataFrame) -> tuple[str, str, str]:
    match = re.fullmatch(r"(.+?)\s*(<=|>=|==|!=|<|>)\s*(.+)", text.strip())
    if match is None:
        raise ConfigError("`prepare.checks.relations`", "must read like 'start <= end'", got=text)
    one, sign, other = match.groups()
    for name in (one, other):
        if name not in frame.columns:
            raise ConfigError("`prepare.checks.relations`", "must name columns of the table", got=name)
    return one, sign, other


def _related(frame: pd.DataFrame, one: str, sign: str, other: str) -> Iterator[Failure]:
    import numpy as np

    a, b = frame[one], frame[other]
    try:
        holds = getattr(a, _SIGNS[sign])(b) | a.isna() | b.isna()
    except TypeError as error:
        got = f"{one} {sign} {other}"
        raise ConfigError("`prepare.checks.relations`", "must compare columns of one kind", got=got) from error
    rows = np.flatnonzero(~holds.to_numpy())
    if len(rows):
        seen = f"{a.iloc[rows[0]]!s} and {b.iloc[rows[0]]!s}"
        yield Failure(rows, f"{one}.{_SIGNS[sign]}.{other}", f"{one} {sign} {other} must hold, not so for {seen}")


def inferred(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """The rules that the training rows satisfy: ranges of numbers, sets of categories, columns without a null."""
    import pyarrow.compute as pc

    rules: dict[str, dict[str, Any]] = {}
    for column in dataset.columns:
        values = dataset.parts["train"][column.name]
        rule: dict[str, Any] = {} if values.null_count else {"not_null": True}
        if column.kind in ("number", "boolean") and values.null_count < len(values):
            ends = pc.min_max(values)
            rule |= {"ge": ends["min"].as_py(), "le": ends["max"].as_py()}
        elif column.kind == "category":
            levels = pc.unique(values.drop_null())
            rule |= {"isin": sorted(levels.to_pylist())} if len(levels) <= _MAX_LEVELS else {}
        if rule:
            rules[column.name] = rule
    return rules
