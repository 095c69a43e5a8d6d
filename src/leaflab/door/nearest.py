"""The nearest valid name, for people who mistype."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(typed: str, valid: Iterable[str], stem: str = "") -> str:
    """A hint that names the nearest valid name, or lists them all where none is near; shown with a stem before them.

    >>> did_you_mean("sweeep", ["sweep", "run"])
    'did you mean `sweep`?'
    >>> did_you_mean("xyz", ["run", "sweep"])
    'choose from run, sweep'
    >>> did_you_mean("foo", ["rows", "columns"], "prepare.checks.")
    'choose from prepare.checks.columns, prepare.checks.rows'
    """
    names = sorted(set(valid))
    near = get_close_matches(typed, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{stem}{near[0]}`?"
    return f"choose from {', '.join(stem + name for name in names)}" if names else "there is none to choose from"
