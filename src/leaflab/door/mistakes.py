"""Turns what Hydra, OmegaConf and pydantic say of a mistake into one sentence with the nearest valid name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leaflab.door.nearest import did_you_mean
from leaflab.door.places import nouns, options
from leaflab.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["explained", "explained_value", "no_option"]

_KINDS = {
    "string": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list",
    "tuple": "a list", "dict": "a mapping", "string_too_short": "some text",
}  # fmt: skip
"""What pydantic calls the kinds of values, and people do."""


def explained(error: Exception, verb: str, overrides: list[str]) -> ConfigError:
    """The sentence for a configuration that does not compose."""
    text = str(error)
    if option := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        return no_option(*option.groups())
    if "Config group override must be" in text and (unnamed := _unnamed(overrides)):
        return no_option(*unnamed)
    if "Unsupported item value in defaults" in text:
        asked = next((o for o in overrides if o.startswith("experiment=")), verb)
        return ConfigError(f"`{asked}`", "names an option by a number or a truth value", hint="options are words")
    if (key := re.search(r"(?:Could not override|Key) '([^']+)'", text)) or (
        key := re.search(r"full_key: (\S+)", text)
    ):
        return _unknown_key(key.group(1), verb)
    if missing := re.search(r"(?:In|Cannot find primary config) '([^']+)'", text):
        return ConfigError(f"`{missing.group(1)}`", f"does not compose ({_first(text)})")
    culprit = next((o for o in overrides if o in text), " ".join(overrides))
    return ConfigError(f"`{culprit}`", "cannot be read", hint="write key=value; quote a value that holds , : { } [ ]")


def _unnamed(overrides: list[str]) -> tuple[str, str] | None:
    """The group that is given null, a number or a truth value where it needs an option's name, and what it is given."""
    asked = [(o.partition("=")[0].lstrip("+").replace(".", "/"), o.partition("=")[2]) for o in overrides]
    wrong = ((n, v) for n, v in asked if (known := options(n)) and v not in known and not v.startswith("["))
    return next(wrong, None)


def no_option(noun: str, name: str) -> ConfigError:
    """The sentence for an option that a group lacks."""
    return ConfigError(f"`{noun}`", "has no such option", got=name, hint=did_you_mean(name, options(noun)))


def _unknown_key(key: str, verb: str) -> ConfigError:
    head, _, rest = key.partition(".")
    head = head.partition("@")[0].lstrip("/")
    if not rest or head.partition("/")[0] not in {n.partition("/")[0] for n in _top_keys(verb)}:
        return ConfigError(f"`{head}`", "is no key or group", hint=did_you_mean(head, _top_keys(verb)))
    option = rest.partition(".")[0]
    if head == "gate" and option in options("gate") and option not in _defaults(verb)["gate"]:
        hint = f"ask for the gate too, as in gate=[floor,{option}]"
        return ConfigError(f"`{key}`", "is of a gate that is not asked for", hint=hint)
    return ConfigError(f"`{key}`", "is an unknown key", hint=_nearest(key, _keys_of(verb, head)))


def _nearest(key: str, known: Sequence[str]) -> str:
    """The nearest of the keys beside a key, else of all."""
    parent, dot, leaf = key.rpartition(".")
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == parent]
    return did_you_mean(leaf, beside, parent + dot) if beside else did_you_mean(key, known)


def _top_keys(verb: str) -> set[str]:
    return set(nouns()) | {k for k in _defaults(verb) if k != "hydra"}


def _keys_of(verb: str, head: str) -> list[str]:
    node = _defaults(verb).get(head)
    return list(_dotted(node, head)) if isinstance(node, Mapping) else [head]


def _dotted(node: Mapping[str, Any], path: str) -> list[str]:
    keys = []
    for name, value in node.items():
        if not name.startswith("_"):
            keys.append(f"{path}.{name}")
            keys += _dotted(value, f"{path}.{name}") if isinstance(value, Mapping) else []
    return keys


def _defaults(verb: str) -> Mapping[str, Any]:
    """The verb's configuration as it composes without overrides; what the nearest name is chosen from."""
    from omegaconf import OmegaConf

    from leaflab.door.compose import compose

    plain = OmegaConf.to_container(compose(verb, []), resolve=False)
    return {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {}


def explained_value(key: str, node: Mapping[str, Any], error: ValidationError) -> ConfigError:
    """The sentence for a value an option refuses; all others follow once this one is right."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, _place(node, first["loc"]))) or "value"
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        inner = first["loc"][:-1]
        known = [name for name in _inside(node, inner) if name != first["loc"][-1]] if inner else _fields_of(node)
        stem = ".".join([key, *map(str, inner), ""])
        hint = did_you_mean(str(first["loc"][-1]), known, stem)
        return ConfigError(f"`{key}.{place}`", "is an unknown key", hint=hint)
    if first["type"] in ("missing", "missing_argument"):
        return ConfigError(f"`{key}.{place}`", "is not set")
    if kind := _KINDS.get(re.sub(r"_(type|parsing|parsing_size|from_float)$", "", first["type"])):
        return ConfigError(f"`{key}.{place}`", f"must be {kind}", got=first.get("input"))
    rule = re.sub(r"^(Input|Value) (should|must) be", "must be", first["msg"])
    rule = re.sub(r"^Value error, ", "", rule)
    rule = re.sub(r"^(Input|Value)\b", "", rule).strip()
    return ConfigError(f"`{key}.{place}`", rule, got=first.get("input"))


def _place(node: Any, place: Sequence[Any]) -> list[Any]:
    """Where a value stands, without the names of the kinds that were tried on it."""
    at = []
    for part in place:
        if isinstance(node, Mapping) or (isinstance(node, list) and isinstance(part, int)):
            at.append(part)
            node = node.get(part) if isinstance(node, Mapping) else dict(enumerate(node)).get(part)
    return at


def _inside(node: Any, place: Sequence[object]) -> list[str]:
    """The keys that are set at a place of a node."""
    for part in place:
        node = node.get(part) if isinstance(node, Mapping) else None
    return [str(name) for name in node] if isinstance(node, Mapping) else []


def _fields_of(node: Mapping[str, Any]) -> list[str]:
    import importlib

    module, _, name = str(node["_target_"]).rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    return list(getattr(cls, "__dataclass_fields__", {}))


def _first(text: str) -> str:
    return text.splitlines()[0].strip()
