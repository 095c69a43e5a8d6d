"""Rules worth adding, found and counted but never applied unasked: a YAML to read, cut down and pass back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import DataError
from leaflab.prepare.kinds import MARKERS
from leaflab.prepare.typing import type_column

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.prepare.typing import TypedColumn
    from leaflab.values import Roles

__all__ = ["propose"]

_WORDS = (
    "unknown",
    "none",
    "missing",
    "not available",
    "not applicable",
    "unspecified",
    "undefined",
    "-",
    "--",
    ".",
    "n.a.",
)
_SHARE, _FEW = 0.001, 3
_APPLIED = ("decimal", "thousands", "format", "dayfirst", "replace")


def propose(raw: pa.Table, roles: Roles, rules: Mapping[str, Mapping[str, Any]]) -> str:
    """The proposal as YAML text; a rule's comment says how many rows it concerns and why it is proposed."""
    lines = []
    for name in raw.column_names:
        if name in roles.dropped or name in rules:
            continue
        try:
            typed = type_column(name, raw[name], MARKERS, {})
        except DataError as error:
            lines.append(f"    # {_scalar(name)}: {error}")
            continue
        found: dict[Any, str] = {**_sentinels(typed), **_words(typed)}
        if found:
            marks = ", ".join(_scalar(marker) for marker in found)
            lines.append(f"    {_scalar(name)}:\n      missing: [{marks}]")
            lines += [f"      # {_scalar(marker)}: {reason}" for marker, reason in found.items()]
        applied = {k: v for k, v in typed.column.to_json().items() if k in _APPLIED}
        if applied:
            lines.append(f"    # {_scalar(name)}: read with {applied}; nothing to do")
        if typed.markers:
            counted = ", ".join(f"{_scalar(m)} {n:,}" for m, n in typed.markers.items())
            lines.append(f"    # {_scalar(name)}: already read as missing: {counted}")
    head = (
        "# @package _global_\n"
        "# Rules worth a look; keep what is right, and save it as experiments/NAME.yaml or pass it as prepare.rules=…"
    )
    body = (
        "\n".join(lines) if any(not line.lstrip().startswith("#") for line in lines) else "\n".join(["    {}", *lines])
    )
    return f"{head}\n# {raw.num_rows:,} rows, {raw.num_columns} columns\nprepare:\n  rules:\n{body}"


def _sentinels(typed: TypedColumn) -> dict[float, str]:
    """Numbers that stand apart from all others and come again and again: -200, -1, 999."""
    if typed.column.kind != "number" or typed.empty:
        return {}
    values = typed.values.drop_null().to_numpy(zero_copy_only=False)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < _FEW + 2:
        return {}
    found: dict[float, str] = {}
    for place, others in ((0, distinct[1:]), (-1, distinct[:-1])):
        value, count = float(distinct[place]), int(counts[place])
        if count >= max(_FEW, _SHARE * len(values)) or (value == 0 and count >= _FEW):
            reason = _apart(value, others)
            if reason:
                found[value] = f"{count:,} rows; {reason}"
    return found


def _apart(value: float, others: np.ndarray) -> str:
    low, high = float(others[0]), float(others[-1])
    gap = low - value if value < low else value - high
    if gap > high - low:
        return f"all others lie between {low:g} and {high:g}"
    if value < 0 <= low and value == int(value):
        return f"the only negative number; all others lie between {low:g} and {high:g}"
    if value == 0 < low and gap > 0.25 * float(np.median(others)):
        return f"all others are at least {low:g}"
    return ""


def _words(typed: TypedColumn) -> dict[str, str]:
    """Words that often mean "no value", left as a category of their own unless a rule says otherwise."""
    if typed.column.kind not in ("category", "text"):
        return {}
    counts = typed.values.value_counts()
    pairs: Iterator[tuple[Any, Any]] = zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)
    return {word: f"{n:,} rows" for word, n in pairs if word is not None and word.casefold() in _WORDS}


def _scalar(value: Any) -> str:
    """A name or number as YAML writes it."""
    import yaml

    plain = int(value) if isinstance(value, float) and value.is_integer() else value
    return yaml.safe_dump(plain, allow_unicode=True, width=1000).split("\n")[0]
