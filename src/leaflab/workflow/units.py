"""What the settings of verbs are given in: spans of time, numbers of rows, versions, lists of words."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

__all__ = ["Address", "Name", "Number", "Rows", "Seconds", "Span", "Words", "told"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(weeks=10_000)
_MOST = 2**31 - 1


def _spanned(value: Any) -> timedelta | None:
    """
    >>> _spanned("1.5h")
    datetime.timedelta(seconds=5400)
    """
    try:
        span = value if isinstance(value, timedelta) else timedelta(**{_UNITS[value[-1:]]: float(value[:-1])})
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return span if timedelta(0) <= span <= _LONGEST else None


def _span(value: Any) -> timedelta:
    span = _spanned(value)
    if span is None:
        raise ValueError("must be a span of time such as 30m, 1h or 7d")
    return span


def _rows(value: Any) -> int | timedelta:
    rows = int(value) if isinstance(value, str) and value.isdecimal() else value
    if isinstance(rows, bool) or not isinstance(rows, int):
        rows = _spanned(value)
    elif not 0 < rows <= _MOST:
        rows = None
    if not rows:
        raise ValueError("must be rows or a span above 0, as in 2000 or 1d")
    return rows


def _numbered(value: Any) -> Any:
    if isinstance(value, bool):  # which pydantic takes for 0 or 1
        raise ValueError("must be the number of a version")
    return value


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) and value else value


def _address(value: Any) -> Any:
    if not str(value).startswith(("http://", "https://")):
        raise ValueError("must be an address that begins with https:// or http://")
    return value


Span = Annotated[timedelta, BeforeValidator(_span)]
"""A span of time from nothing to 10,000 weeks, written as `90s`, `30m`, `1h`, `7d` or `2w`."""

Rows = Annotated[int | timedelta, BeforeValidator(_rows)]
"""So many rows, or the rows of a span of time."""

Number = Annotated[int, Field(ge=1, le=_MOST), BeforeValidator(_numbered)]
"""A version's number."""

Seconds = Annotated[float, Field(gt=0, le=1e9)]
"""More than none, and fewer than a clock can wait for."""

Name = Annotated[str, Field(min_length=1)]
"""Not the nothing that an unset variable leaves."""

Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Words, or a single one."""

Address = Annotated[str, BeforeValidator(_address)]
"""Where something is posted to."""


def told(length: int | timedelta) -> str:
    """Rows or a span for people.

    >>> told(timedelta(days=30))
    '30 days'
    """
    return str(length).removesuffix(", 0:00:00")
