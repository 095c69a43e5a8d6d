"""How a result shows itself in a notebook, and a command to be typed."""

from __future__ import annotations

import html
import shlex

__all__ = ["Shown", "typed"]


class Shown:
    """A result whose text is its closing screen, on a terminal and in a notebook alike."""

    def _repr_html_(self) -> str:
        return f"<pre style='white-space:pre-wrap'>{html.escape(str(self))}</pre>"


def typed(verb: str, name: str, *words: str) -> str:
    """The command of a verb for a model, quoted where a shell needs it.

    >>> typed("promote", "my table", "promote.version=2")
    "leaflab promote 'name=my table' promote.version=2"
    """
    return shlex.join(["leaflab", verb, f"name={name}", *words])
