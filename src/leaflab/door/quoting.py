"""Reads overrides as people mean them: quoted for Hydra's grammar, and with one budget where one is given."""

from __future__ import annotations

import re

__all__ = ["one_budget", "quote", "quoted"]

_WORDS = (
    r"dataset\.[\w.]+|source\.[\w.]+|input|output|current|collect\.partition_by|[\w.]+\.why"
    r"|search\.(?:objectives|constraints)"
)
_KEY = re.compile(rf"^(\+{{0,2}})({_WORDS})=(.*)$", re.DOTALL)
_FOREIGN = re.compile(r"^(\+{0,2})([\w./@]+)=((?=.*[^\x00-\x7f])[^()\[\]{}'\"$]+)$", re.DOTALL)
"""Letters that Hydra's grammar does not know: a whole value of them."""
_LISTS = ("dataset.id", "dataset.drop", "source.topics", "source.paths", "source.columns", "collect.partition_by",
          "search.objectives", "search.constraints")  # fmt: skip
_PLAIN = re.compile(r"^(null|true|false|[+-]?\d+(\.\d+)?([eE][+-]?\d+)?)$", re.IGNORECASE)
_OPEN = re.compile(r"^(?:gate\.floor\.at_(?:least|most)|model\.params|search\.space)(?:\.|=\{)")
_GROUPED = re.compile(r"^search\.(pruner|space)=([A-Za-z][\w,-]*)$")
_TEXT_KEYS = ("dataset.target", "dataset.name", "dataset.time", "dataset.group", "dataset.weight", "source.path",
              "input", "output", "current")  # fmt: skip


def quoted(argument: str, *, multirun: bool = False) -> str:
    """An override whose value Hydra reads as it was typed.

    Args:
        argument: one command-line word.
        multirun: with `-m` a comma separates choices, so each choice is quoted on its own.

    >>> quoted("dataset.target=price_€")
    "dataset.target='price_€'"
    >>> quoted("dataset.drop=[a b,c]")
    "dataset.drop=['a b','c']"
    >>> quoted("search.constraints=latency_ms <= 5")
    "search.constraints='latency_ms <= 5'"
    >>> quoted("search.seconds=60")
    'search.seconds=60'
    >>> quoted("name=prüfung")
    "name='prüfung'"
    >>> quoted("gate.floor.at_least.accuracy=0.9")  # any metric, listed in the configuration or not
    '++gate.floor.at_least.accuracy=0.9'
    >>> quoted("search.pruner=asha")  # an option of its own
    'search/pruner=asha'
    """
    if grouped := _GROUPED.match(argument):
        return f"search/{grouped[1]}={grouped[2]}"
    if _OPEN.match(argument):
        return f"++{argument}"
    match = _KEY.match(argument) or _FOREIGN.match(argument)
    if not match:
        return argument
    plus, key, value = match.groups()
    if value in ("", "null") or _is_quoted(value) or "${" in value:
        return argument
    if value.startswith("[") and value.endswith("]") and (key in _LISTS or key.startswith("source.")):
        return f"{plus}{key}=[{','.join(_one(key, item) for item in _split(value[1:-1]))}]"
    if value.startswith("{") and key.startswith("source."):
        return argument
    if multirun and "," in value:
        return f"{plus}{key}={','.join(_one(key, item) for item in _split(value))}"
    return f"{plus}{key}={_one(key, value)}"


def quote(text: str) -> str:
    """Any text as a quoted string of Hydra's grammar, where a backslash counts only before a quote.

    >>> print(quote("it's"))
    'it\\'s'
    """
    escaped = re.sub(r"(\\*)'", lambda found: found.group(1) * 2 + r"\'", text)
    tail = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{chr(92) * tail}'"


def _one(key: str, value: str) -> str:
    value = value.strip() if key in _LISTS else value
    if _is_quoted(value) or (_PLAIN.match(value) and key not in _TEXT_KEYS):
        return value
    return quote(value)


def _split(items: str) -> list[str]:
    """Commas outside quotes separate."""
    return [part.strip() for part in re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^,'\"]|['\"])+", items) if part.strip()]


def _is_quoted(value: str) -> bool:
    return len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""


def one_budget(overrides: list[str]) -> list[str]:
    """Giving only one of search.seconds and search.trials unsets the other.

    >>> one_budget(["search.trials=20"])
    ['search.trials=20', 'search.seconds=null']
    """
    given = {o.partition("=")[0].lstrip("+"): o.partition("=")[2] for o in overrides}
    pair = ("search.seconds", "search.trials")
    named = [key for key in pair if given.get(key, "null") != "null"]
    absent = [key for key in pair if key not in given]
    return [*overrides, f"{absent[0]}=null"] if len(named) == 1 and absent else overrides
