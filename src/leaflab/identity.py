"""Identity: what makes two tables, datasets or sweeps the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["fold"]


def fold(facts: Mapping[str, Any]) -> str:
    """One identity (32 hex characters) from plain facts; key order does not matter.

    >>> fold({"a": 1, "b": 2}) == fold({"b": 2, "a": 1})
    True
    """
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
