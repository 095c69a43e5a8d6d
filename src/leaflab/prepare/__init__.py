"""The room `prepare`. Called, it is the verb: one name can only be one thing, and Python makes it this package."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _RoomAndVerb(ModuleType):
    """A package that is called like the function of its name."""

    def __call__(self, *words: Any, **settings: Any) -> Any:
        return importlib.import_module("leaflab.api").prepare(*words, **settings)


sys.modules[__name__].__class__ = _RoomAndVerb
