"""The target: its type, the task it makes, and its classes in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leaflab.errors import ConfigError, DataError
from leaflab.prepare.kinds import find_text
from leaflab.prepare.typing import arrow_array, plain_array
from leaflab.scorer.columns import Column, parse

if TYPE_CHECKING:
    from leaflab.values import Roles, Task

__all__ = ["Goal", "find_goal"]

_MAX_INTEGER_CLASSES = 20
_FINITE = float(np.finfo("float32").max)
_MOST_LOST = 0.01
_YES = ("yes", "true", "1", "1.0")


@dataclass(frozen=True)
class Goal:
    """The target, typed: `values` has nulls where a row has none; `positive` is the last of two classes."""

    values: pa.Array[Any]
    task: Task
    classes: tuple[Any, ...] = ()
    positive: Any = None
    notes: tuple[str, ...] = ()


def find_goal(raw: pa.ChunkedArray[Any], roles: Roles, missing: Sequence[str], rule: Mapping[str, Any]) -> Goal:
    """Types the target and finds the task.

    Args:
        raw: the target column.
        roles: `task` and `positive` overrule what is found.
        missing: texts that mean "no value".
        rule: further keys of a `Column`, from `prepare.rules`.

    Raises:
        DataError: all null, constant, infinite, one row a class, or unfit for the task asked for.
        ConfigError: `dataset.positive` is no label of the target.
    """
    name = roles.goal
    values, notes = _values(name, plain_array(name, raw), tuple(missing), roles, rule)
    counts = _counts(name, values)
    task, why = _task(values.type, counts, roles)
    if task == "regression":
        values = _numbers(name, values)
        said = [f"task: regression, because {name!r} {why}", *_lost(name, values)]
        return Goal(values, task, notes=(*notes, *said))
    _refuse_singles(name, counts)
    labels = sorted(counts)
    if task == "multiclass":
        note = f"task: multiclass, because {name!r} {why}"
        return Goal(values, task, tuple(labels), notes=(*notes, note))
    positive, reason = _positive(name, counts, roles)
    classes = (*(c for c in labels if c != positive), positive)
    share = counts[positive] / sum(counts.values())
    note = f"task: binary, because {name!r} {why}; positive class {positive!r} ({reason}, {share:.1%} of rows)"
    return Goal(values, task, classes, positive, (*notes, note))


def _values(
    name: str, array: pa.Array[Any], missing: tuple[str, ...], roles: Roles, rule: Mapping[str, Any]
) -> tuple[pa.Array[Any], list[str]]:
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        raise DataError(f"target {name!r}", "must hold numbers or labels", got=str(array.type))
    if pa.types.is_boolean(array.type) or pa.types.is_null(array.type):
        return array, []
    column = Column(name, "number", missing=missing, **{k: v for k, v in rule.items() if k != "kind"})
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        return _texts(array, column, roles)
    frame = array.to_pandas()
    if frame.dtype.kind == "f" and np.isinf(frame.to_numpy()).any():
        raise DataError(f"target {name!r}", "must hold finite values", got="an infinite one")
    typed, _ = parse(frame, column)
    if (typed.notna().to_numpy() == frame.notna().to_numpy()).all() and column.scale == 1.0:
        return _whole(array), []
    return _whole(arrow_array(typed)), []


def _whole(values: pa.Array[Any]) -> pa.Array[Any]:
    """Whole numbers as integers, so that labels read 1 and not 1.0; other floats as they are."""
    if not pa.types.is_floating(values.type):
        return values.cast(pa.int64()) if pa.types.is_integer(values.type) else values
    values = pc.if_else(pc.is_nan(values), None, values)
    small = pc.all(pc.equal(pc.floor(values), values)).as_py() and (pc.max(pc.abs(values)).as_py() or 0) < 2**53
    return values.cast(pa.int64()) if small else values.cast(pa.float64())


def _texts(array: pa.Array[Any], column: Column, roles: Roles) -> tuple[pa.Array[Any], list[str]]:
    encoded = array.cast(pa.string()).dictionary_encode()
    distinct = pd.Series(encoded.dictionary.to_pandas(), dtype="str")
    indices = encoded.indices
    counts = np.bincount(indices.drop_null().to_numpy(), minlength=len(distinct))
    found = find_text(column.name, distinct, counts, column.missing)
    readable = found.column.kind == "number"
    if roles.task == "regression" and not readable:
        example = next(iter(distinct), None)
        raise DataError(f"target {column.name!r}", "must hold numbers for dataset.task=regression", got=example)
    if roles.task == "regression" or (readable and len(distinct) > _MAX_INTEGER_CLASSES and roles.task == "auto"):
        values, _ = parse(distinct, found.column)
        return _whole(arrow_array(values).take(indices)), list(found.notes)
    labels, _ = parse(distinct, Column(column.name, "category", missing=column.missing, replace=column.replace))
    labels, notes = _without_dots(column.name, labels)
    return arrow_array(labels, pa.string()).take(indices), notes


def _without_dots(name: str, labels: pd.Series[Any]) -> tuple[pd.Series[Any], list[str]]:
    """`>50K.` beside `>50K` is one label written two ways."""
    known = set(labels.dropna())
    dotted = {label: label[:-1] for label in known if label.endswith(".") and label[:-1] in known}
    if not dotted:
        return labels, []
    some = ", ".join(f"{a!r} → {b!r}" for a, b in sorted(dotted.items()))
    return labels.replace(dotted), [f"target {name!r} has labels that end with a dot, read as those without: {some}"]


def _counts(name: str, values: pa.Array[Any]) -> dict[Any, int]:
    counted: Any = pc.value_counts(values.drop_null())
    counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    if not counts:
        raise DataError(f"target {name!r}", "holds no value", hint="choose another column as dataset.target")
    if len(counts) == 1:
        raise DataError(f"target {name!r}", "must have at least two different values", got=next(iter(counts)))
    return counts


def _task(kind: pa.DataType, counts: Mapping[Any, int], roles: Roles) -> tuple[Task, str]:
    subject = f"target {roles.goal!r}"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if roles.task == "regression" and not number:
        raise DataError(subject, "must hold numbers for dataset.task=regression", got=next(iter(counts)))
    if roles.task == "binary" and len(counts) != 2:
        raise DataError(subject, "must have two values for dataset.task=binary", got=len(counts))
    if roles.task != "auto":
        return roles.task, "was declared so"
    if len(counts) == 2:
        return "binary", "has two values"
    if not number:
        return "multiclass", f"has {len(counts)} labels"
    if pa.types.is_integer(kind) and len(counts) <= _MAX_INTEGER_CLASSES:
        return "multiclass", f"has {len(counts)} whole numbers (dataset.task=regression to predict the number)"
    return "regression", "holds numbers"


def _refuse_singles(name: str, counts: Mapping[Any, int]) -> None:
    single = [label for label, count in counts.items() if count == 1]
    if single:
        some = ", ".join(repr(label) for label in sorted(single)[:3])
        more = f" and {len(single) - 3} more" if len(single) > 3 else ""
        hint = "merge or leave out such labels, or choose another target or dataset.task"
        raise DataError(f"target {name!r}", f"has one row only of {some}{more}; a class needs two", hint=hint)


def _positive(name: str, counts: Mapping[Any, int], roles: Roles) -> tuple[Any, str]:
    labels = sorted(counts)
    if roles.positive is not None:
        wanted = str(roles.positive).strip().casefold()
        chosen = [x for x in labels if x == roles.positive or str(x).casefold() == wanted]
        if not chosen:
            raise ConfigError("`dataset.positive`", f"must be a label of {name!r}: {labels!r}", got=roles.positive)
        return chosen[0], "declared"
    yes = [x for x in labels if str(x).casefold() in _YES]
    if len(yes) == 1:
        return yes[0], "by its name"
    rarer = min(labels, key=lambda x: (counts[x], -labels.index(x)))
    return rarer, "the rarer"


def _numbers(name: str, values: pa.Array[Any]) -> pa.Array[Any]:
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise DataError(f"target {name!r}", "must hold numbers for regression", got=str(values.type))
    values = values.cast(pa.float64())
    most = pc.max(pc.abs(values)).as_py()
    if most > _FINITE:
        rule = f"must hold values up to {_FINITE:.3g}, for LightGBM keeps them in 32 bits"
        raise DataError(f"target {name!r}", rule, got=most, hint="scale it first")
    return values


def _lost(name: str, values: pa.Array[Any]) -> list[str]:
    """What there is to say where 32 bits cannot tell values of the target apart."""
    plain = values.drop_null().to_numpy()
    lost = float(np.abs(plain - plain.astype("float32")).max() / np.ptp(plain))
    if lost < _MOST_LOST:
        return []
    return [
        f"target {name!r}: LightGBM keeps it in 32 bits, which rounds it by up to {lost:.0%} of its range: subtract a "
        "constant or scale it first"
    ]
