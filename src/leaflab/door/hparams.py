"""Search files of Hydra's Optuna sweeper, taken as they are: `hparams_search=FILE` or `hparams_search=NAME`.

Such a file has `n_trials`, `direction`, `sampler` and `params` (or the older `search_space`), under `hydra.sweeper` or
at its top. It becomes ordinary overrides, which stand before those that were typed, so that what is typed wins.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from leaflab.door.places import conf_folders, home, options
from leaflab.door.quoting import quote
from leaflab.errors import ConfigError
from leaflab.model.parameters import OURS, canonical

__all__ = ["expanded"]

_log = logging.getLogger(__name__)
_GROUP = "hparams_search"
_SAMPLERS = {
    "TPESampler": "tpe", "MOTPESampler": "tpe", "RandomSampler": "random", "GridSampler": "grid",
    "CmaEsSampler": "cmaes", "NSGAIISampler": "nsga2", "QMCSampler": "qmc", "GPSampler": "gp",
    "motpe": "tpe", "nsgaii": "nsga2",
}  # fmt: skip
_METRICS = {"acc": "accuracy", "auc": "roc_auc", "logloss": "log_loss", "f1": "macro_f1", "ap": "pr_auc"}
_UNUSED = ("storage", "study_name", "n_jobs", "max_failure_rate", "custom_search_space", "timeout")


def expanded(overrides: list[str]) -> list[str]:
    """The overrides with every search file replaced by what it says.

    Raises:
        ConfigError: the file does not exist, cannot be read, or has nothing to search.
    """
    files = [word.partition("=")[2] for word in overrides if word.partition("=")[0].lstrip("+") == _GROUP]
    typed = [word for word in overrides if word.partition("=")[0].lstrip("+") != _GROUP]
    keys = {word.partition("=")[0].lstrip("+~") for word in typed}
    return [*(made for name in files for made in _overrides(_found(name.strip("'\"")), keys)), *typed]


def _found(name: str) -> Path:
    folders = [Path(), home(), *(f / _GROUP for f in conf_folders()), home() / "configs" / _GROUP]
    for file in (folder / f"{name}{end}" for end in ("", ".yaml", ".yml") for folder in folders):
        if file.is_file():
            return file
    hint = "name a YAML file, or one in conf/hparams_search/ or configs/hparams_search/"
    raise ConfigError(f"`{_GROUP}`", "must name a file", got=name, hint=hint)


def _overrides(file: Path, typed: set[str]) -> Iterator[str]:
    whole, own = _read(file)
    params = own.get("params") or own.get("search_space")
    if not isinstance(params, Mapping):
        raise ConfigError(
            f"`{_GROUP}={file}`", "has no params to search", hint="as in params: {num_leaves: range(8, 64)}"
        )
    if not typed & {"search.trials", "search.seconds"} and own.get("n_trials") is not None:
        yield f"search.trials={own['n_trials']}"
        yield "search.seconds=null"
    if "search" not in typed:
        yield from _sampler(own.get("sampler"), _chosen(whole))
    yield "~search.space"
    yield f"+search.space={{{','.join(f'{name}:{_grammar(spec)}' for name, spec in _space(file, params))}}}"
    yield from _metric(file, whole, own, typed)
    if unused := [key for key in _UNUSED if own.get(key) not in (None, 1, 0)]:
        _log.info("%s: not used, because a sweep has its own: %s.", file.name, ", ".join(unused))


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The whole file, and the part that a sweeper reads."""
    try:
        whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{_GROUP}={file}`", f"is no YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(whole, dict):
        raise ConfigError(f"`{_GROUP}={file}`", "must be a mapping", got=whole)
    own = (whole.get("hydra") or {}).get("sweeper") or whole.get("sweeper") or whole
    return whole, {**own.get("optuna_config", {}), **own}


def _chosen(whole: Mapping[str, Any]) -> str | None:
    """The sampler of the defaults list (`override hydra/sweeper/sampler: random`)."""
    for entry in whole.get("defaults") or []:
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if str(key).endswith("hydra/sweeper/sampler"):
                return str(value)
    return None


def _sampler(written: Any, chosen: str | None) -> Iterator[str]:
    """A sampler by name is ours; one with arguments is Optuna's with those arguments, but for its seed."""
    facts = dict(written) if isinstance(written, Mapping) else {"_target_": written or chosen}
    target = str(facts.pop("_target_", None) or chosen or "tpe")
    facts = {
        key: value
        for key, value in facts.items()
        if key not in ("seed", "_partial_", "_convert_") and value is not None
    }
    name = target.rpartition(".")[2]
    option = _SAMPLERS.get(name, name)
    known = next((full for full, short in _SAMPLERS.items() if short == option and full.endswith("Sampler")), name)
    if option in options("search"):
        yield f"search={option}"
    if option not in options("search") or (facts and option != "grid"):
        kept = "".join(f",{key}:{_grammar(value)}" for key, value in facts.items())
        yield "~search.sampler"
        yield f"+search.sampler={{_target_:optuna.samplers.{known},_partial_:true{kept}}}"


def _space(file: Path, params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Parameters by LightGBM's names: what stands before the last dot says where another program keeps them."""
    for key, spec in params.items():
        name = str(key).lstrip("+").rpartition(".")[2]
        if canonical(name) in OURS:
            _log.info("%s: %s is left out: %s.", file.name, key, OURS[canonical(name)])
        elif isinstance(spec, str) and "," in spec and "(" not in spec:
            yield name, f"choice({spec})"
        else:
            yield name, spec


def _metric(file: Path, whole: Mapping[str, Any], own: Mapping[str, Any], typed: set[str]) -> Iterator[str]:
    """The metric that the file names, where it is one of ours; a metric knows its direction."""
    if "metric" in typed:
        return
    wanted = str(whole.get("optimized_metric") or whole.get("metric") or "")
    name = (
        wanted.replace("\\", "/").rpartition("/")[2].removesuffix("_best").removeprefix("val_").removeprefix("valid_")
    )
    name = _METRICS.get(name, name)
    if name in options("metric"):
        yield f"metric={name}"
    elif own.get("direction") not in (None, "minimize"):
        told = f"{own['direction']}s {wanted}, which is no metric here" if wanted else f"says {own['direction']}"
        _log.info("%s %s: log_loss or rmse is lowered unless metric=NAME says otherwise.", file.name, told)


def _grammar(value: Any) -> str:
    """A plain value in the grammar of overrides."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_grammar(child)}' for key, child in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(_grammar(child) for child in value)}]"
    return quote(value) if isinstance(value, str) else json.dumps(value)
