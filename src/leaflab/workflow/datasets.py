"""Datasets in the lake: whole or absent, found again by their recipe, name or id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leaflab.errors import DataError
from leaflab.identity import fold
from leaflab.prepare.manifest import from_manifest, manifest
from leaflab.values import PARTS

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import Lake, TableVersion
    from leaflab.values import Dataset, Part, Raw
    from leaflab.workflow.lab import Lab

__all__ = ["find_dataset", "load_dataset", "recipe_of", "write_dataset"]

PREPARE_VERSION = 2
"""Raised by hand when the same settings come to mean other rows."""


def recipe_of(lab: Lab, raw: Raw) -> str:
    """Everything that decides what a dataset holds."""
    options: list[Any] = [lab.prepare, lab.split, lab.dataset]
    settings = [[type(option).__name__, asdict(option)] for option in options]
    return fold({"raw": raw.digest, "settings": settings, "seed": lab.seed, "version": PREPARE_VERSION})


def find_dataset(lake: Lake, name: str, recipe: str) -> Dataset | None:
    """The dataset made before by the same recipe; None where there is none."""
    known = next((v for v in _versions(lake, name) if v.meta["recipe"] == recipe), None)
    return None if known is None else _load(lake, known)


def load_dataset(lake: Lake, wanted: str) -> Dataset:
    """A dataset by its id, or the newest one of a name.

    Raises:
        DataError: the lake has no such dataset.
    """
    names = [t.split("/")[1] for t in lake.tables() if t.startswith("dataset/") and t.endswith("/test")]
    versions = [v for name in names for v in _versions(lake, name) if wanted in (name, v.meta["dataset"]["id"])]
    if not versions:
        raise DataError(f"dataset {wanted!r}", "is not in the lake", hint="run `leaflab prepare` to make it")
    return _load(lake, versions[0])


def write_dataset(lake: Lake, dataset: Dataset, recipe: str) -> dict[str, int]:
    """Writes the parts; the manifest lies with the last, named after the others: a dataset is whole or absent.

    Rows that are there already make no new version of the last part; the manifest is then a commit without rows.
    """
    names = {part: f"dataset/{dataset.name}/{part}" for part in PARTS}

    def write(part: Part, meta: Any = None) -> TableVersion:
        return lake.write(names[part], dataset.parts[part], digest=dataset.digests[part], meta=meta)

    *before, last = PARTS
    with ThreadPoolExecutor(len(before)) as pool:
        early = {part: pool.submit(write, part) for part in before}

        def meta() -> dict[str, Any]:
            versions = {part: written.result().version for part, written in early.items()}
            return {"recipe": recipe, "dataset": manifest(dataset) | {"versions": versions}}

        written = write(last, meta)
        if written.meta.get("recipe") != recipe:
            empty = dataset.parts[last].slice(0, 0)
            written = lake.write(names[last], empty, mode="append", digest=dataset.digests[last], meta=meta)
    return {**{part: done.result().version for part, done in early.items()}, last: written.version}


def _versions(lake: Lake, name: str) -> list[TableVersion]:
    """Versions that carry a dataset's manifest, newest first."""
    return [v for v in reversed(lake.versions(f"dataset/{name}/test")) if "recipe" in v.meta]


def _load(lake: Lake, version: TableVersion) -> Dataset:
    plain = version.meta["dataset"]
    versions = {**plain["versions"], PARTS[-1]: version.version}
    parts: dict[str, pa.Table] = {part: lake.read(f"dataset/{plain['name']}/{part}", versions[part]) for part in PARTS}
    return from_manifest(plain, parts, versions)
