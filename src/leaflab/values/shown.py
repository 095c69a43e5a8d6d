"""How a result shows itself in a notebook."""

from __future__ import annotations

import html

__all__ = ["Shown"]


class Shown:
    """A result whose text is its closing screen, on a terminal and in a notebook alike."""

    def _repr_html_(self) -> str:
        return f"<pre style='white-space:pre-wrap'>{html.escape(str(self))}</pre>"
