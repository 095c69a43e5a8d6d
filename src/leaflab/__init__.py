"""leaflab: from a table to a governed, monitored LightGBM model, every step in MLflow.

    import leaflab

    leaflab.run(experiment="baseline", search={"seconds": 30})
    leaflab.sweep(frame, target="price")
    leaflab.load("flights@champion").predict(frame)

Importing leaflab loads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.api import collect, evaluate, load, prepare, promote, run, sweep
    from leaflab.errors import LeaflabError
    from leaflab.option import option

__all__ = ["LeaflabError", "collect", "evaluate", "load", "option", "prepare", "promote", "run", "sweep"]

_HOMES = {"LeaflabError": "leaflab.errors", "option": "leaflab.option"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'leaflab' has no attribute {name!r}")
    import importlib

    if name == "prepare":
        return importlib.import_module("leaflab.prepare")
    return getattr(importlib.import_module(_HOMES.get(name, "leaflab.api")), name)


def __dir__() -> list[str]:
    return __all__
