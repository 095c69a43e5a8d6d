"""Search spaces as they are written, and as Optuna takes them.

A parameter is a mapping (`{low: 0.01, high: 0.3, log: true}`, `{choices: [a, b]}`), a list of choices, a fixed value,
or the text of Hydra's sweepers: `interval(0.01, 0.3)`, `tag(log, interval(0.01, 0.3))`, `range(4, 64, step=4)`,
`choice(a, b)`, `int(interval(4, 64))`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["clamped", "distributions", "reach"]

_KEYS = frozenset({"low", "high", "log", "step", "type", "choices"})
_CALL = re.compile(r"^\s*(\w+)\s*\((.*)\)\s*$", re.DOTALL)


def distributions(space: Mapping[str, Any]) -> tuple[dict[str, BaseDistribution], dict[str, Any]]:
    """Optuna's distributions of what varies, and the values that are fixed.

    Raises:
        ConfigError: a specification that cannot be read, with its key.
    """
    varying: dict[str, BaseDistribution] = {}
    fixed: dict[str, Any] = {}
    for name, written in space.items():
        spec = written
        if isinstance(spec, str) and (call := _CALL.match(spec)):
            spec = _called(name, call[1], call[2])
        if isinstance(spec, list):
            spec = {"choices": spec}
        if isinstance(spec, Mapping):
            varying[name] = _distribution(name, spec)
        else:
            fixed[name] = spec
    return varying, fixed


def reach(varying: Mapping[str, BaseDistribution], fixed: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The values a parameter may take: its choices, the ends of its range, or the one it has."""
    from optuna.distributions import CategoricalDistribution

    ends: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in fixed.items()}
    for name, kind in varying.items():
        ends[name] = tuple(kind.choices) if isinstance(kind, CategoricalDistribution) else (kind.low, kind.high)
    return ends


def _distribution(name: str, spec: Mapping[str, Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    key = f"`search.space.{name}`"
    unknown = sorted(set(spec) - _KEYS)
    if unknown:
        raise ConfigError(key, f"knows {', '.join(sorted(_KEYS))}", got=unknown[0])
    if "choices" in spec:
        if not spec["choices"]:
            raise ConfigError(key, "needs at least one choice")
        return CategoricalDistribution(tuple(spec["choices"]))
    try:
        low, high = spec["low"], spec["high"]
        whole = spec.get("type", "int" if isinstance(low, int) and isinstance(high, int) else "float") == "int"
        kind = IntDistribution if whole else FloatDistribution
        step = {"step": spec["step"]} if spec.get("step") is not None else {}
        return kind(low, high, log=bool(spec.get("log", False)), **step)
    except KeyError as error:
        raise ConfigError(key, f"needs {error.args[0]!r}, as in {{low: 1, high: 10}}", got=dict(spec)) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(key, f"is no range ({error})", got=dict(spec)) from None


def _called(name: str, word: str, inside: str) -> Any:
    """The mapping that a sweeper's text means."""
    parts = _split(inside)
    if word == "tag":
        tags, inner = parts[:-1], parts[-1]
        spec = distributions_text(name, inner)
        return {**spec, "log": True} if "log" in tags and isinstance(spec, Mapping) else spec
    if word in ("int", "float"):
        return {**distributions_text(name, parts[0]), "type": word}
    if word in ("choice", "shuffle"):
        return {"choices": [_value(p) for p in parts]}
    if word in ("interval", "range"):
        named = dict(p.split("=", 1) for p in parts if "=" in p)
        plain = [_value(p) for p in parts if "=" not in p]
        given = dict(zip(("low", "high", "step"), plain, strict=False))
        given |= {{"start": "low", "stop": "high"}.get(k.strip(), k.strip()): _value(v) for k, v in named.items()}
        if word == "interval":
            return {**given, "type": "float"}
        whole = isinstance(given["low"], int)
        step = given.get("step", 1)
        return {**given, "high": given["high"] - step if whole else given["high"], "step": step}
    raise ConfigError(f"`search.space.{name}`", "knows interval, range, choice, tag, int and float", got=word)


def distributions_text(name: str, text: str) -> Any:
    """The mapping of a text; a text that is no call has no range."""
    call = _CALL.match(text)
    if not call:
        raise ConfigError(f"`search.space.{name}`", "cannot be read", got=text)
    return _called(name, call[1], call[2])


def _split(inside: str) -> list[str]:
    """The arguments between commas that stand in no inner bracket."""
    parts, depth = [""], 0
    for mark in inside:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(mark, 0)
        if mark == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += mark
    return [p.strip() for p in parts if p.strip()]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    words = {"true": True, "false": False, "null": None}
    return words.get(text.casefold(), text.strip("'\""))


def clamped(params: Mapping[str, Any], varying: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Parameters as near as the space comes to them: how a configuration from elsewhere is shown to the sampler."""
    from optuna.distributions import CategoricalDistribution

    near: dict[str, Any] = {}
    for name, kind in varying.items():
        if name not in params:
            continue
        value = params[name]
        if isinstance(kind, CategoricalDistribution):
            if value in kind.choices:
                near[name] = value
        else:
            inside = min(max(value, kind.low), kind.high)
            if kind.step:
                inside = kind.low + round((inside - kind.low) / kind.step) * kind.step
            near[name] = inside
    return near
