"""Earlier sweeps: what differs from them, and what they found that is worth trying first."""

from __future__ import annotations

import ast
import json
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ModelError
from leaflab.identity import fold

if TYPE_CHECKING:
    from leaflab.metric.base import Metric
    from leaflab.workflow.lab import Lab

__all__ = ["best_of", "generation", "remembered"]

_log = logging.getLogger(__name__)
_FILE = "key.json"
_SHOWN = 4
_BEST = 5


def generation(sweeps: Path, identity: str, *, anew: bool) -> str:
    """The identity of a sweep's newest generation: the sweep's own, until `search.fresh=true` starts another one."""
    file = sweeps / identity / "generation"
    number = int(file.read_text(encoding="utf-8")) if file.is_file() else 0
    if anew:
        number += 1
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number), encoding="utf-8")
    return fold({"sweep": identity, "generation": number}) if number else identity


def remembered(folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Writes down what identifies a sweep; a new one says what differs from the latest of the same name."""
    file = folder / _FILE
    if file.is_file():
        return
    plain = json.loads(json.dumps(facts, default=str))
    known = [_read(f) for f in folder.parent.glob(f"*/{_FILE}")]
    latest = max((k for k in known if k["name"] == name), key=lambda k: float(k["started"]), default=None)
    if latest is not None:
        changes = list(_differences(latest["facts"], plain))
        more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        told = ", ".join(changes[:_SHOWN]) + more
        if changes:
            _log.info("A new sweep: compared with the last one of '%s', %s differ.", name, told)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"name": name, "started": time.time(), "facts": plain}), encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return plain


def _differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths at which two plain values differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        brief = len(str(one)) + len(str(other)) < 60 and path != "dataset"
        yield f"{path} ({one} → {other})" if brief else path


def best_of(lab: Lab, what: str | None, metric: Metric) -> tuple[dict[str, Any], ...]:
    """Parameters of the best finished trials of a sweep (a run id) or of all sweeps of a name, the best first.

    Raises:
        ModelError: there are none.
    """
    if not what:
        return ()
    tags = {"leaflab.verb": "trial", "leaflab.state": "complete"}
    of_run = lab.tracking.get(what) is not None if len(what) == 32 else False
    found = lab.tracking.search(None if of_run else what, {**tags, "mlflow.parentRunId": what} if of_run else tags)
    key = f"valid/{metric.name}"
    scored = sorted((r for r in found if key in r.metrics), key=lambda r: metric.loss(r.metrics[key]))
    if not scored:
        hint = "name a run id, or an experiment with finished sweeps of the same metric"
        raise ModelError(f"`search.warm_start={what}`", f"finds no finished trial with {key}", hint=hint)
    different = {json.dumps(dict(r.params), sort_keys=True): r.params for r in reversed(scored)}
    best = list(reversed(list(different.values())))[:_BEST]
    return tuple({name: _value(text) for name, text in params.items()} for params in best)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
