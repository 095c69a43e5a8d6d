"""Binned data, made once and shared by every trial, fold and worker.

The driver writes the matrix as memory-mappable files; the first worker that needs a set of dataset parameters bins the
rows and leaves LightGBM's binary file, which the others load. Folds are subsets of it, so nothing is binned in a trial.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.identity import fold as identity
from leaflab.model.parameters import lightgbms

if TYPE_CHECKING:
    import numpy as np

    from leaflab.model.base import Fold, Problem

__all__ = ["Store", "store"]

_KEPT = 12
_ANEW = 3.0  # more bins take longer than the slowest so far
_ALWAYS = {"feature_pre_filter": False, "verbosity": -1}
_STORES: dict[Path, Store] = {}


def store(folder: Path) -> Store:
    """The store of a folder, opened once a process."""
    if folder not in _STORES:
        _STORES.clear()
        _STORES[folder] = Store(folder)
    return _STORES[folder]


class Store:
    """The matrix and its binned datasets in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._binned: OrderedDict[str, Any] = OrderedDict()
        self._folds: OrderedDict[tuple[str, int, float], tuple[Any, Any]] = OrderedDict()

    @staticmethod
    def write(folder: Path, problem: Problem, folds: Sequence[Fold], bins: str) -> None:
        """Lays out what workers read."""
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"matrix": problem.matrix, "target": problem.target, "weight": problem.weight}
        for name, array in arrays.items():
            if array is not None:
                np.save(folder / f"{name}.npy", array)
        for number, (train, valid) in enumerate(folds):
            np.save(folder / f"fold-{number}-train.npy", np.sort(train))
            np.save(folder / f"fold-{number}-valid.npy", np.sort(valid))
        names = _safe(problem.names)
        facts = {"names": names, "categorical": list(problem.categorical), "bins": bins, "plain": problem.plain}
        (folder / "store.json").write_text(json.dumps(facts), encoding="utf-8")

    def array(self, name: str) -> Any:
        """A memory-mapped array; None where there is none."""
        import numpy as np

        file = self.folder / f"{name}.npy"
        return np.load(file, mmap_mode="r") if file.is_file() else None

    @cached_property
    def facts(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads((self.folder / "store.json").read_text(encoding="utf-8"))
        return plain

    @cached_property
    def matrix(self) -> np.ndarray:
        return self.array("matrix")

    def seen(self, params: Mapping[str, Any]) -> np.ndarray:
        """The matrix as a fit sees it: with the features made of others (`pairs`), or without."""
        return self.matrix if params.get("pairs") else self.matrix[:, : self.facts["plain"]]

    @cached_property
    def target(self) -> np.ndarray:
        return self.array("target")

    @cached_property
    def weight(self) -> np.ndarray | None:
        return self.array("weight")

    def rows(self, number: int | None, share: float = 1.0) -> Fold:
        """Row numbers of a fold, or of a share of its training rows; None: all rows to learn from.

        A smaller share is part of a larger one.
        """
        import numpy as np

        if number is None:
            return np.arange(len(self.target)), np.arange(0)
        train, valid = self.array(f"fold-{number}-train"), self.array(f"fold-{number}-valid")
        if share < 1:
            drawn = np.random.default_rng(0).permutation(len(train))[: round(share * len(train))]
            train = train[np.sort(drawn)]
        return train, valid

    def datasets(self, params: Mapping[str, Any], number: int | None, share: float = 1.0) -> tuple[Any, Any]:
        """Binned training and validation rows of a fold; the second is None where the fold has none."""
        key = identity(params)
        place = (key, -1 if number is None else number, share)
        if place in self._folds:
            self._folds.move_to_end(place)
            return self._folds[place]
        train, valid = self.rows(number, share)
        if params.get("linear_tree") or self.facts["bins"] == "per_fold":
            made = self._apart(params, train, valid)
        elif number is None:
            made = self._whole(params, key), None
        else:
            whole = self._whole(params, key)
            made = whole.subset(train).construct(), whole.subset(valid).construct() if len(valid) else None
        self._folds[place] = made
        while len(self._folds) > _KEPT:
            self._folds.popitem(last=False)
        return made

    def late(self, params: Mapping[str, Any], deadline: float | None) -> bool:
        """Whether a fit would have to bin the rows anew, and too little time is left to do so before the deadline."""
        if deadline is None or self._file(identity(params)).is_file():
            return False
        known = [float(file.read_text()) for file in self.folder.glob("binned-*.seconds")]
        return bool(known) and time.monotonic() + _ANEW * max(known) > deadline

    def _file(self, key: str) -> Path:
        return self.folder / f"binned-{key[:12]}.bin"

    def _apart(self, params: Mapping[str, Any], train: np.ndarray, valid: np.ndarray) -> tuple[Any, Any]:
        """Binned from a fold's own training rows (and with the raw numbers kept, which linear trees need)."""
        matrix = self.seen(params)
        first = self._dataset(params, matrix[train], train).construct()
        if not len(valid):
            return first, None
        return first, self._dataset(params, matrix[valid], valid, reference=first).construct()

    def _dataset(self, params: Mapping[str, Any], data: Any, rows: np.ndarray | None, reference: Any = None) -> Any:
        import lightgbm as lgb

        take = slice(None) if rows is None else rows
        return lgb.Dataset(
            data,
            label=self.target[take],
            weight=None if self.weight is None else self.weight[take],
            feature_name=self.facts["names"][: data.shape[1]],
            categorical_feature=[place for place in self.facts["categorical"] if place < data.shape[1]],
            reference=reference,
            params={**_ALWAYS, **lightgbms(params)},
            free_raw_data=not params.get("linear_tree"),
        )

    def _whole(self, params: Mapping[str, Any], key: str) -> Any:
        """All rows, binned once; the first process to come writes the file, the others read it."""
        import lightgbm as lgb

        if key not in self._binned:
            file = self._file(key)
            with file.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not file.is_file():
                    began = time.monotonic()
                    made = self._dataset(params, self.seen(params), None).construct()
                    made.save_binary(str(file.with_suffix(".part")))
                    file.with_suffix(".seconds").write_text(str(time.monotonic() - began))
                    file.with_suffix(".part").rename(file)
            self._binned[key] = lgb.Dataset(str(file), params={**_ALWAYS, **lightgbms(params)}).construct()
            while len(self._binned) > _KEPT:
                self._binned.popitem(last=False)
        return self._binned[key]


def _safe(names: Sequence[str]) -> list[str]:
    """Names LightGBM accepts: its own punctuation replaced, each one once."""
    taken: dict[str, int] = {}
    safe = []
    for name in names:
        plain = name.translate({ord(mark): "_" for mark in '[]{}",: \t\n'}) or "_"
        taken[plain] = taken.get(plain, 0) + 1
        safe.append(plain if taken[plain] == 1 else f"{plain}_{taken[plain]}")
    return safe
