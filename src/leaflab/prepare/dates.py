"""Dates and times written as text: the rule that reads a whole column, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.scorer.columns import Column, parse

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["date_rule"]

_CLOCK = r"(?:[T ]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?)(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?)?"
_NUMERIC = rf"(?P<one>\d{{1,2}})(?P<mark>[/.-])(?P<two>\d{{1,2}})[/.-](?P<year>\d{{4}}|\d{{2}}){_CLOCK}"
_YEAR_FIRST = rf"\d{{4}}[/.]\d{{1,2}}[/.]\d{{1,2}}{_CLOCK}"
_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_WORDED = rf"(?i:(?:\d{{1,2}}[ -]{_MONTHS}[ ,-]+\d{{2,4}}|{_MONTHS} \d{{1,2}},? \d{{4}})){_CLOCK}"
_MAX_STRAY = 0.01
_CLOCKS = {5: " %H:%M", 8: " %H:%M:%S"}


def date_rule(base: Column, texts: pd.Series[Any], counts: np.ndarray) -> tuple[Column, list[str]] | None:
    """The time rule of a column whose texts (stripped, distinct) are dates, with notes; None where they are not."""
    total = counts.sum()

    def reads(pattern: str) -> np.ndarray:
        return np.asarray(texts.str.fullmatch(pattern).to_numpy(dtype=bool))

    iso = reads(_ISO)
    if counts[~iso].sum() <= _MAX_STRAY * total:
        return replace(base, kind="time", format="ISO8601"), []
    numeric, other = reads(_NUMERIC), reads(_YEAR_FIRST) | reads(_WORDED)
    if counts[~(iso | numeric | other)].sum() > _MAX_STRAY * total:
        return None
    column = replace(base, kind="time")
    notes: list[str] = []
    if numeric.any():
        column, notes = _numeric_rule(base, texts[numeric], mixed=bool((iso | other).any()))
    _, bad = parse(texts, column)
    return (column, notes) if counts[bad].sum() <= _MAX_STRAY * total else None


def _numeric_rule(base: Column, texts: pd.Series[Any], *, mixed: bool) -> tuple[Column, list[str]]:
    """`03/04/2004`: which number is the day, decided by a number above 12 where there is one."""
    parts = texts.str.extract(_NUMERIC)
    one, two = parts["one"].astype("int64"), parts["two"].astype("int64")
    notes: list[str] = []
    dayfirst = bool((one > 12).any())
    if not dayfirst and not (two > 12).any():
        dayfirst = parts["mark"].iloc[0] != "/"
        order = "day first" if dayfirst else "month first"
        notes.append(
            f"{base.name!r} holds dates whose day and month cannot be told apart; they are read {order} "
            f"(prepare.rules can say `dayfirst: {str(not dayfirst).lower()}`)"
        )
    clocks = parts["clock"].fillna("").str.len().unique()
    years = parts["year"].str.len().unique()
    marks = parts["mark"].unique()
    uniform = not mixed and len(clocks) == len(years) == len(marks) == 1 and clocks[0] in (0, *_CLOCKS)
    if not uniform or texts.str.contains("T|Z|[+]", regex=True).any():
        return replace(base, kind="time", dayfirst=dayfirst), notes
    days = ("%d", "%m") if dayfirst else ("%m", "%d")
    year = "%Y" if years[0] == 4 else "%y"
    return replace(base, kind="time", format=str(marks[0]).join((*days, year)) + _CLOCKS.get(clocks[0], "")), notes
