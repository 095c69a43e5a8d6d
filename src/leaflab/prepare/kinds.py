"""What a raw column is: the rule that types it, found from its distinct values and said aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from leaflab.prepare.dates import date_rule
from leaflab.scorer.columns import FALSE, TRUE, Column

__all__ = ["MARKERS", "Found", "find_text", "markers"]

MARKERS = ("?", "na", "n/a", "#n/a", "nan", "null", "<na>")

_NUMBERS: Mapping[tuple[str, str], str] = {
    (".", ""): r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    (",", ""): r"[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?",
    (".", ","): r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?",
    (",", "."): r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?",
    (".", " "): r"[+-]?(\d{1,3}( \d{3})+|\d+)(\.\d*)?",
    (".", "'"): r"[+-]?(\d{1,3}('\d{3})+|\d+)(\.\d*)?",
    (",", " "): r"[+-]?(\d{1,3}( \d{3})+|\d+)(,\d*)?",
}
_MAX_STRAY = 0.01
_MAX_MARKERS = 3
_MIN_NUMBERS = 20
_MOST_WORDS = 200


def markers(more: Sequence[str | int | float] = ()) -> tuple[str, ...]:
    """Texts that mean "no value" in every column: the usual ones, and more."""
    return tuple(dict.fromkeys((*MARKERS, *(str(m) for m in more))))


@dataclass(frozen=True)
class Found:
    """A column's rule and why it is so.

    Args:
        column: the rule.
        notes: sentences that say why.
        markers: how often each marker of a missing value occurs.
        mixed: what the column holds, where its values are of two kinds and only a person knows which is meant.
    """

    column: Column
    notes: tuple[str, ...] = ()
    markers: Mapping[str, int] = field(default_factory=dict)
    mixed: str = ""


def find_text(name: str, distinct: pd.Series[Any], counts: np.ndarray, missing: tuple[str, ...]) -> Found:
    """The rule of a text column.

    Args:
        name: the column.
        distinct: its distinct texts, nulls left out, shape (distinct,).
        counts: how often each occurs, shape (distinct,).
        missing: markers that mean "no value".
    """
    stripped = distinct.astype("str").str.strip()
    folded = stripped.str.casefold()
    markers = folded.isin({m.strip().casefold() for m in missing})
    marked = {str(m): int(counts[(stripped == m).to_numpy()].sum()) for m in sorted(set(stripped[markers]))}
    gone = markers | (stripped == "")
    texts, counts, folded = stripped[~gone], counts[~gone.to_numpy()], folded[~gone]
    base = Column(name, "category", missing=missing)
    if texts.empty:
        return Found(base, (), marked)
    style, reads = _best_style(texts, counts)
    number = _as_number(base, texts, counts, style, reads)
    found = _as_boolean(base, folded) or number or date_rule(base, texts, counts)
    column, notes = found or _as_words(base, texts, counts)
    return Found(column, tuple(notes), marked, "" if found else _mixed(texts, counts, reads))


def _as_boolean(base: Column, folded: pd.Series[Any]) -> tuple[Column, list[str]] | None:
    if len(folded) > _MOST_WORDS:
        return None
    words = set(folded)
    known = words <= {*TRUE, *FALSE} and not words <= {"0", "1"}
    both = bool(words & set(TRUE)) and bool(words & set(FALSE))
    return (replace(base, kind="boolean"), []) if known and both else None


def _as_number(
    base: Column, texts: pd.Series[Any], counts: np.ndarray, style: tuple[str, str], reads: np.ndarray
) -> tuple[Column, list[str]] | None:
    total, stray = int(counts.sum()), ~reads
    if not reads.any() or counts[reads].sum() < 0.5 * total:
        return None
    if texts[reads].str.fullmatch(r"0\d+").any():
        return None
    column, notes = replace(base, kind="number", decimal=style[0], thousands=style[1]), []
    others = list(texts[stray])
    if others and len(others) <= _MAX_MARKERS and int(reads.sum()) >= _MIN_NUMBERS:
        words = tuple(sorted({t.casefold() for t in others}))
        column = replace(column, missing=(*base.missing, *words))
        notes.append(f"{base.name!r} holds numbers; {_quoted(words)} ({counts[stray].sum()} rows) is read as missing")
    elif counts[stray].sum() > _MAX_STRAY * total:
        return None
    if style != (".", ""):
        mark = f", {style[1]!r} the thousands separator" if style[1] else ""
        notes.append(f"{base.name!r} holds numbers written as text; {style[0]!r} is the decimal mark{mark}")
    return column, notes


def _mixed(texts: pd.Series[Any], counts: np.ndarray, reads: np.ndarray) -> str:
    """What numbers and words share a column; codes, which mix digits and letters or are whole numbers too, do not."""
    numbers, words = texts[reads], texts[~reads]
    if len(numbers) < _MIN_NUMBERS or counts[reads].sum() < 0.5 * counts.sum() or not len(words):
        return ""
    fractions = numbers.str.contains(r"[.,]\d", regex=True).mean() > 0.5
    codes = numbers.str.fullmatch(r"0\d+").any() or words.str.contains(r"\d", regex=True).any()
    if not fractions and codes:
        return ""
    one, other = numbers.iloc[0], words.iloc[0]
    return f"{counts[reads].sum():,} numbers (as {one!r}) and {counts[~reads].sum():,} words (as {other!r})"


def _best_style(texts: pd.Series[Any], counts: np.ndarray) -> tuple[tuple[str, str], np.ndarray]:
    """The way of writing numbers that reads most rows; the plain one where several do."""
    best, reads, share = (".", ""), np.zeros(len(texts), bool), 0
    for style, pattern in _NUMBERS.items():
        match = texts.str.fullmatch(pattern).to_numpy(dtype=bool)
        rows = int(counts[match].sum())
        if rows > share and (style != (",", "") or _decimal_comma(texts[match])):
            best, reads, share = style, match, rows
    return best, reads


def _decimal_comma(texts: pd.Series[Any]) -> bool:
    """Whether commas can only be decimal marks: `1,5` and `0,123` can, `1,234` alone cannot."""
    with_comma = texts[texts.str.contains(",", regex=False)]
    return not with_comma.empty and not with_comma.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}").all()


def _as_words(base: Column, texts: pd.Series[Any], counts: np.ndarray) -> tuple[Column, list[str]]:
    rows, distinct = int(counts.sum()), len(texts)
    long = distinct > 1000 and float(texts.str.len().mean()) > 40
    if distinct > max(50, 0.5 * rows) or long:
        note = f"{base.name!r} is free text ({distinct} different values in {rows} rows), not a category"
        return replace(base, kind="text"), [note]
    variants = _case_variants(texts, counts)
    if not variants:
        return base, []
    some = ", ".join(f"{k!r} → {v!r}" for k, v in list(variants.items())[:3])
    return replace(base, replace=variants), [f"{base.name!r} has spelling variants read as one: {some}"]


def _case_variants(texts: pd.Series[Any], counts: np.ndarray) -> dict[str, str]:
    """Spellings that differ only in case or inner white space, mapped to the commonest."""
    plain = texts.str.casefold().str.replace(r"\s+", " ", regex=True)
    if plain.is_unique:
        return {}
    table = pd.DataFrame({"text": texts.to_numpy(), "plain": plain.to_numpy(), "n": counts})
    table = table.sort_values(["n", "text"], ascending=[False, True], kind="stable").drop_duplicates("text")
    kept = table.groupby("plain")["text"].transform("first")
    return {text: to for text, to in zip(table["text"], kept, strict=True) if text != to}


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(repr(w) for w in words)
