"""Keeps secrets out of what is logged."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["masked", "masked_override"]

_SECRET = re.compile(r"(password|passwd|secret|token|api_?key|access_?key|credential)", re.IGNORECASE)
_URL = re.compile(r"(?<=://)([^/@:\s]*):([^/\s]+)@")
_MASK = "***"


def masked(node: Any, key: str = "") -> Any:
    """The same plain values with secrets hidden: by the key's name, and passwords inside URLs.

    >>> masked({"url": "postgresql://me:pw@host/db", "password": "pw"})
    {'url': 'postgresql://me:***@host/db', 'password': '***'}
    """
    if isinstance(node, dict):
        return {k: masked(v, str(k)) for k, v in node.items()}
    if isinstance(node, list):
        return [masked(v, key) for v in node]
    if isinstance(node, str):
        if node.startswith("${oc.env:"):
            return node
        return _MASK if node and _SECRET.search(key) else _URL.sub(rf"\1:{_MASK}@", node)
    return node


def masked_override(override: str) -> str:
    """One command-line word with its secret hidden.

    >>> masked_override("source.password=hunter2")
    'source.password=***'
    """
    key, sign, value = override.partition("=")
    return f"{key}{sign}{masked(value, key)}"
