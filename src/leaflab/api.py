"""The verbs as functions, for notebooks: the same configuration, the same workflows, results that print well."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from leaflab.door.quoting import quote
from leaflab.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.values import Dataset, Raw, Version
    from leaflab.workflow.evaluate import Evaluated
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.promote import Promoted
    from leaflab.workflow.run import Ran
    from leaflab.workflow.swept import Swept

    Frame: TypeAlias = pd.DataFrame | pa.Table

__all__ = ["Loaded", "collect", "evaluate", "load", "prepare", "promote", "run", "sweep"]


def collect(frame: Frame | None = None, **keys: Any) -> Raw:
    """`leaflab collect`: reads a source, or the given frame, into the lake.

    Args:
        frame: a table in memory, in place of a source.
        keys: any key of the configuration: `source={"path": "prices.csv"}`, `name="prices"`.
    """
    result: Raw = _called("collect", frame, None, keys)
    return result


def prepare(frame: Frame | None = None, target: str | None = None, **keys: Any) -> Dataset:
    """`leaflab prepare`: cleans, checks and splits a table into a dataset."""
    result: Dataset = _called("prepare", frame, target, keys)
    return result


def sweep(frame: Frame | None = None, target: str | None = None, **keys: Any) -> Swept:
    """`leaflab sweep`: searches hyperparameters, and registers the best model as the challenger.

    Args:
        frame: a table in memory, in place of a source.
        target: the column to predict (`dataset.target`).
        keys: any key of the configuration: `experiment="flights"`, `search={"seconds": 30}`, `split="time"`.
    """
    result: Swept = _called("sweep", frame, target, keys)
    return result


def evaluate(name: str, **keys: Any) -> Evaluated:
    """`leaflab evaluate`: scores a model once on the test set."""
    result: Evaluated = _called("evaluate", None, None, {"name": name, **keys})
    return result


def promote(name: str, **keys: Any) -> Promoted:
    """`leaflab promote`: judges the challenger against the champion; `.exit_code` is 3 where it was refused."""
    result: Promoted = _called("promote", None, None, {"name": name, **keys})
    return result


def run(frame: Frame | None = None, target: str | None = None, **keys: Any) -> Ran:
    """`leaflab run`: collect, prepare, sweep, evaluate and promote."""
    result: Ran = _called("run", frame, target, keys)
    return result


@dataclass(frozen=True)
class Loaded:
    """A registered model, ready to answer; takes the raw table, as it was before any cleaning."""

    version: Version
    scorer: Scorer

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Labels or values, shape (rows,)."""
        return self.scorer.labels(self.scorer.score(frame))

    def proba(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Probabilities, one column `proba_<class>` a class.

        Raises:
            ModelError: the model predicts values, not classes.
        """
        if not self.scorer.classes:
            raise ModelError(f"'{self.version}'", "predicts values, not classes", hint="use predict")
        return self.scorer.predict(frame, proba=True)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"<{self.version}: {self.scorer.task}, {len(self.scorer.columns)} columns>"


def load(what: str, **keys: Any) -> Loaded:
    """A registered model by alias or version number: `load("flights@champion")`, `load("flights@3")`.

    Raises:
        ModelError: there is no such model, alias or version.
    """
    name, _, which = what.partition("@")
    which = which or "champion"
    lab = _lab("predict", {"name": name, **keys})
    number = int(which) if which.isdigit() else None
    version = lab.tracking.registry.version(name, alias=None if number else which, number=number)
    if version is None:
        raise ModelError(f"'{name}'", f"has no {f'version {number}' if number else which}", hint="see `leaflab runs`")
    return Loaded(version, lab.tracking.registry.scorer(version))


def _called(verb: str, frame: Frame | None, target: str | None, keys: Mapping[str, Any]) -> Any:
    asked = dict(keys)
    if target is not None:
        asked["dataset"] = {**asked.get("dataset", {}), "target": target}
    named = asked.get("name") or asked.get("dataset", {}).get("name")
    if frame is not None and not named:
        asked["dataset"] = {**asked.get("dataset", {}), "name": "table"}
    lab = _lab(verb, asked)
    if frame is not None:
        from leaflab.source.frame import Frame as FrameSource

        lab = replace(lab, source=FrameSource(frame, name=lab.dataset.name or "table"))
    return getattr(importlib.import_module(f"leaflab.workflow.{verb}"), verb)(lab)


def _lab(verb: str, keys: Mapping[str, Any]) -> Lab:
    from leaflab.door.compose import lab_for

    return lab_for(verb, [word for key, value in keys.items() for word in _words(key, value)])


def _words(key: str, value: Any) -> list[str]:
    """Overrides of one key: a mapping sets the keys below it."""
    if isinstance(value, Mapping):
        return [word for name, child in value.items() for word in _words(f"{key}.{name}", child)]
    return [f"{key}={_literal(key, value)}"]


def _literal(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_literal(key, item) for item in value)}]"
    if isinstance(value, str):
        return value if value.isidentifier() else quote(value)
    raise ConfigError(f"`{key}`", "must be text, a number, a list or a mapping", got=value)
