"""What runs on the workers of a cluster that grow one booster together, each on its share of the rows."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["ARRAYS", "free_port", "grow", "join", "leave", "sees"]

ARRAYS = ("matrix", "target", "weight")
_BOOSTERS: dict[str, Any] = {}
"""A worker's boosters in progress."""


def sees(folder: str) -> bool:
    return (Path(folder) / "store.json").is_file()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _quiet() -> Iterator[None]:
    """LightGBM tells of every port it tries, whatever its verbosity, and from a thread of its own that no logger hears
    and that writes to the process's standard output."""
    import lightgbm as lgb

    logger = logging.getLogger("leaflab.lightgbm")
    logger.setLevel(logging.ERROR)
    lgb.register_logger(logger)
    with Path(os.devnull).open("w") as nowhere:
        kept = os.dup(1)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def join(key: str, share: Any, params: dict[str, Any]) -> None:
    """Bins a worker's rows together with the others, and keeps the booster for the chunks to come."""
    import lightgbm as lgb
    import numpy as np

    from leaflab.model.binning import Store

    if len(share) == 2:
        facts, arrays = share
    else:
        folder, number, low, high = share
        data = Store(Path(folder))
        rows = data.rows(number)[0][low:high]
        kept = {name: data.array(name) for name in ARRAYS}
        facts = data.facts
        arrays = {name: np.ascontiguousarray(array[rows]) for name, array in kept.items() if array is not None}
    with _quiet():
        binned = lgb.Dataset(
            arrays["matrix"],
            label=arrays["target"],
            weight=arrays.get("weight"),
            feature_name=facts["names"],
            categorical_feature=facts["categorical"],
            params=params,
        )
        _BOOSTERS[key] = lgb.Booster({**params, "metric": "None"}, binned)


def grow(key: str, rounds: int, tells: bool) -> tuple[str, bool]:
    """Adds rounds; the booster's text, which is the same on every worker, from the one that tells it."""
    booster = _BOOSTERS[key]
    finished = any(booster.update() for _ in range(rounds))
    return booster.model_to_string() if tells else "", finished


def leave(key: str) -> None:
    booster = _BOOSTERS.pop(key, None)
    if booster is not None:
        booster.free_network()
