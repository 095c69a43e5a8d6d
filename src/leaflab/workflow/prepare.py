"""`leaflab prepare`: cleans, checks and splits a raw table into a dataset, or finds the one made before."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

from leaflab.errors import ConfigError, DataError
from leaflab.identity import digest, fold
from leaflab.prepare.manifest import from_manifest, manifest
from leaflab.split.shares import straddling
from leaflab.values import PARTS, Dataset
from leaflab.workflow.collect import collect
from leaflab.workflow.recording import Clock, record_prepare

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import Lake, TableVersion
    from leaflab.prepare.base import Prepared
    from leaflab.values import Raw
    from leaflab.workflow.lab import Lab

__all__ = ["load_dataset", "prepare"]

PREPARE_VERSION = 1

_log = logging.getLogger(__name__)


def prepare(lab: Lab, raw: Raw | None = None) -> Dataset:
    """The dataset of a raw table; the same rows under the same settings are prepared once.

    Raises:
        DataError: the table is not fit for the task.
        CheckFailed: a near-certain leak.
    """
    lab.dataset.goal  # noqa: B018 - a missing target is told before anything is read
    raw = raw or collect(lab)
    proposal = lab.prepare.proposal(raw.table, lab.dataset)
    if proposal:
        return cast("Dataset", _Proposal.of(lab, proposal))
    recipe = _recipe(lab, raw)
    known = next((v for v in _datasets(lab.lake, raw.name) if v.meta["recipe"] == recipe), None)
    if known is not None:
        dataset = _load(lab.lake, known)
        _log.info("%s; nothing changed, so it is used as it is", dataset)
        return dataset
    clock = Clock()
    with clock.step("read"):
        table = raw.table
    with clock.step("clean"):
        prepared = lab.prepare.clean(table, lab.dataset, lab.split.aside)
    for note in prepared.notes:
        _log.info("  %s", note)
    with clock.step("split"):
        dataset = _split(lab, raw, prepared)
    return record_prepare(lab, raw, prepared, dataset, lambda checked: _write(lab.lake, checked, recipe), clock)


class _Proposal(str):
    """What `prepare.propose=true` prints in place of a dataset."""

    __slots__ = ()

    @classmethod
    def of(cls, lab: Lab, text: str) -> _Proposal:
        if lab.verb != "prepare":
            raise ConfigError("`prepare.propose`", "is for `leaflab prepare` alone", got=lab.verb)
        return cls(text)


def load_dataset(lake: Lake, wanted: str) -> Dataset:
    """A dataset by its id, or the newest one of a name.

    Raises:
        DataError: the lake has no such dataset.
    """
    names = [t.split("/")[1] for t in lake.tables() if t.startswith("dataset/") and t.endswith("/test")]
    versions = [v for name in names for v in _datasets(lake, name) if wanted in (name, v.meta["dataset"]["id"])]
    if not versions:
        raise DataError(f"dataset {wanted!r}", "is not in the lake", hint="run `leaflab prepare` to make it")
    return _load(lake, versions[0])


def _recipe(lab: Lab, raw: Raw) -> str:
    """Everything that decides what a dataset holds."""
    options: list[Any] = [lab.prepare, lab.split, lab.dataset]
    settings = [[type(option).__name__, asdict(option)] for option in options]
    return fold({"raw": raw.digest, "settings": settings, "seed": lab.seed, "version": PREPARE_VERSION})


def _split(lab: Lab, raw: Raw, prepared: Prepared) -> Dataset:
    import pyarrow as pa

    codes = lab.split.assign(prepared, lab.seed)
    apart = straddling(codes, prepared)
    if apart:
        _log.info("  %s rows have a near-duplicate in another part", f"{apart:,}")
    parts: dict[str, pa.Table] = {
        part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)
    }
    dataset = Dataset(
        name=raw.name,
        task=prepared.task,
        roles=prepared.roles.resolved(name=raw.name),
        classes=prepared.classes,
        columns=prepared.columns,
        parts=parts,
        digests={},
        raw={"table": f"raw/{raw.name}", "version": raw.version, "digest": raw.digest, "uri": raw.uri},
        features=prepared.features,
        facts={
            **prepared.facts,
            "notes": list(prepared.notes),
            "straddling": apart,
            "shares": {part: table.num_rows / len(codes) for part, table in parts.items()},
        },
        monotone=prepared.monotone,
    )
    dataset = lab.prepare.adjust(dataset)
    return replace(dataset, digests={part: digest(table).table for part, table in dataset.parts.items()})


def _datasets(lake: Lake, name: str) -> list[TableVersion]:
    """Versions that carry a dataset's manifest, newest first."""
    return [v for v in reversed(lake.versions(f"dataset/{name}/test")) if "recipe" in v.meta]


def _write(lake: Lake, dataset: Dataset, recipe: str) -> dict[str, int]:
    """Writes the parts, train first; the manifest lies with the last, so that a dataset is whole or absent."""
    versions: dict[str, int] = {}
    meta: dict[str, Any] = {}
    for part in PARTS:
        table, name = dataset.parts[part], f"dataset/{dataset.name}/{part}"
        if part == PARTS[-1]:
            meta = {"recipe": recipe, "dataset": manifest(dataset) | {"versions": dict(versions)}}
        written = lake.write(name, table, digest=dataset.digests[part], meta=meta)
        if meta and written.meta.get("recipe") != recipe:
            written = lake.write(name, table.slice(0, 0), mode="append", digest=dataset.digests[part], meta=meta)
        versions[part] = written.version
    return versions


def _load(lake: Lake, version: TableVersion) -> Dataset:
    plain = version.meta["dataset"]
    versions = {**plain["versions"], PARTS[-1]: version.version}
    parts: dict[str, pa.Table] = {part: lake.read(f"dataset/{plain['name']}/{part}", versions[part]) for part in PARTS}
    return from_manifest(plain, parts, versions)
