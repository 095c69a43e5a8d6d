"""From the words of a command to a Lab: compose, judge, check, build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from leaflab.door import searching
from leaflab.door.hparams import expanded
from leaflab.door.masking import masked, masked_override
from leaflab.door.mistakes import explained, explained_value, no_option
from leaflab.door.nearest import did_you_mean
from leaflab.door.places import home, options, package_conf
from leaflab.door.quoting import one_budget, quoted
from leaflab.door.trust import judge
from leaflab.errors import ConfigError, LeaflabError
from leaflab.workflow.lab import Lab

__all__ = ["compose", "lab_for", "lab_from"]


def compose(verb: str, overrides: list[str], *, multirun: bool = False) -> DictConfig:
    """The configuration of a verb, judged; with `multirun` the swept overrides are left out.

    Raises:
        ConfigError: an unknown key, group or option, named with the nearest valid one; or a target that is refused.
    """
    searching.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(package_conf()), job_name="leaflab", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        try:
            config = hydra.compose_config(verb, overrides, run_mode=mode, with_log_configuration=False)
            plain = OmegaConf.to_container(config, resolve=False)
        except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: `search=null`
            raise explained(error, verb, overrides) from error
    if "experiment" in config:
        name = OmegaConf.select(config, "hydra.runtime.choices.experiment")
        raise ConfigError(f"The experiment '{name}'", "must begin with the line `# @package _global_`")
    _need_all(OmegaConf.select(config, "hydra.runtime.choices"))
    if not OmegaConf.is_dict(config.dataset):
        raise ConfigError("`dataset`", "must be a mapping", got=config.dataset, hint="set its keys: dataset.target=y")
    judge(plain, home())
    return config


def lab_from(config: DictConfig, verb: str, overrides: list[str]) -> Lab:
    """The Lab of a composed configuration.

    Raises:
        ConfigError: a value out of range or of the wrong type, or a name that is missing.
    """
    plain = _resolved(config)
    choices = OmegaConf.select(config, "hydra.runtime.choices") or {}
    plain.pop("hydra", None)
    for part in ("sampler", "pruner"):
        _made_anew(plain["search"].get(part))
    for noun in ("gate", "drift"):
        plain[noun] = _chosen(noun, plain.get(noun) or {})
    if not plain["gate"]:
        raise ConfigError("`gate`", "must name a gate", hint="promote.force=true promote.why=… does without judgement")
    rooms = {key: _built(key, node) for key, node in plain.items()}
    if not isinstance(plain["seed"], int) or isinstance(plain["seed"], bool) or plain["seed"] < 0:
        raise ConfigError("`seed`", "must be a whole number, 0 or more", got=plain["seed"])
    _check_names(rooms)
    rooms["home"] = Path(plain["home"]).resolve()
    dataset = rooms["dataset"]
    stem = rooms["source"].default_name or choices.get("experiment")
    name = _name("name", plain["name"])
    named = dataset.resolved(name=_name("dataset.name", dataset.name) or _slug(stem) or name)
    rooms |= {"dataset": named, "name": name or named.name}
    if not rooms["name"]:
        raise _nameless(verb)
    logged = masked(_resolved(config, keep_environment=True))
    logged.pop("hydra", None)
    known = {f.name for f in fields(Lab)}
    return Lab(
        **{k: v for k, v in rooms.items() if k in known},
        verb=verb,
        config=logged,
        overrides=tuple(masked_override(o) for o in overrides),
    )


def lab_for(verb: str, overrides: list[str]) -> Lab:
    """The Lab a verb would work with, for small commands and the Python API."""
    overrides = one_budget([quoted(o) for o in expanded(overrides)])
    return lab_from(compose(verb, overrides), verb, overrides)


def _need_all(choices: Mapping[str, str | None]) -> None:
    """An experiment may choose another option of a group, but none is no choice."""
    for group, name in choices.items():
        if name is None and group != "debug" and (package_conf() / group).is_dir():
            raise no_option(group, "null")


def _resolved(config: DictConfig, *, keep_environment: bool = False) -> dict[str, Any]:
    """Plain values; references to the environment stay as they are written where they must not be logged."""
    try:
        without = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
        if keep_environment:
            raw = OmegaConf.to_container(without, resolve=False)
            without = OmegaConf.create(_escaped(raw))
        plain = OmegaConf.to_container(without, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "the configuration"
        raise ConfigError(f"`{key}`", f"cannot be resolved ({str(error).splitlines()[0]})") from error
    assert isinstance(plain, dict)
    return {str(k): v for k, v in plain.items()}


def _escaped(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {k: _escaped(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_escaped(v) for v in node]
    if isinstance(node, str) and "${oc.env:" in node:
        return node.replace("${", "\\${")
    return node


def _built(key: str, node: Any) -> Any:
    """The object of a node; mappings of nodes (the gates) are built one by one."""
    if isinstance(node, Mapping) and "_target_" not in node:
        return {name: _built(f"{key}.{name}", child) for name, child in node.items()}
    if not isinstance(node, Mapping):
        return node
    try:
        return instantiate(node, _convert_="all")
    except Exception as error:
        cause = _cause(error)
        if isinstance(cause, LeaflabError):
            raise cause from None
        place = re.search(r"^full_key: (\S+)$", str(error), re.MULTILINE)  # of a record within the record
        if place and isinstance(inner := _within(node, place[1].split(".")), Mapping):
            key, node = f"{key}.{place[1]}", inner
        if isinstance(cause, ValidationError):
            raise explained_value(key, node, cause) from None
        if isinstance(cause, TypeError):
            raise ConfigError(f"`{key}`", f"cannot be built ({cause})") from None
        raise


def _within(node: Any, place: Sequence[str]) -> Any:
    """What stands at a place of mappings; None where there is none, as in a list."""
    return reduce(lambda outer, name: outer.get(name) if isinstance(outer, Mapping) else None, place, node)


def _chosen(noun: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a noun that takes several, without what they share; none can be set to something else."""
    known = options(noun)
    for name, settings in node.items():
        if name in known and not isinstance(settings, Mapping):
            asked = ",".join(other for other in node if other in known and other != name)
            raise ConfigError(f"`{noun}.{name}`", "has settings, and no value of its own", got=settings,
                              hint=f"to do without it, {noun}=[{asked}]")  # fmt: skip
    return {name: settings for name, settings in node.items() if isinstance(settings, Mapping)}


def _made_anew(node: Any) -> None:
    """A search makes Optuna's own samplers itself, once a trial."""
    if isinstance(node, dict) and str(node.get("_target_", "")).startswith("optuna."):
        node.setdefault("_partial_", True)


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None and not isinstance(error, LeaflabError | ValidationError):
        error = error.__cause__
    return error


def _check_names(rooms: Mapping[str, Any]) -> None:
    """What names gates and metrics must name some that exist."""
    floor, metrics = rooms["gate"].get("floor"), options("metric")
    given = [(f"gate.floor.{side}", "metric", getattr(floor, side, ()), metrics) for side in ("at_least", "at_most")]
    gates = [*options("gate"), *rooms["gate"]]
    given.append(("promote.not_applicable", "gate", rooms["promote"].not_applicable, gates))
    for key, what, names, valid in given:
        for name in names:
            if name not in valid:
                raise ConfigError(f"`{key}`", f"must name a {what}", got=name, hint=did_you_mean(name, valid))


def _slug(stem: str | None) -> str | None:
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-") or None if stem else None


def _name(key: str, name: Any) -> str | None:
    if name is None:
        return None
    if not re.fullmatch(r"\w[\w .-]*", str(name)):
        raise ConfigError(f"`{key}`", "must be made of letters, digits, spaces, dots, dashes and underscores", got=name)
    return str(name)


def _nameless(verb: str) -> ConfigError:
    if verb in ("collect", "prepare", "sweep", "run"):
        hint = "name a table, as in source.path=prices.csv, or an experiment"
        return ConfigError("`source.path`", "is not set", hint=hint)
    return ConfigError("`name`", "is not set", hint="say which model, as in name=flights")
