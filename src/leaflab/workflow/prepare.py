"""`leaflab prepare`: cleans, checks and splits a raw table into a dataset, or finds the one made before."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from leaflab.errors import ConfigError
from leaflab.identity import digest
from leaflab.prepare.spill import Spill
from leaflab.split.shares import settled
from leaflab.values import PARTS, Dataset
from leaflab.workflow.collect import collect
from leaflab.workflow.datasets import find_dataset, load_dataset, recipe_of, write_dataset
from leaflab.workflow.recording import Clock, record_prepare

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from leaflab.prepare.base import Prepared
    from leaflab.values import Raw
    from leaflab.workflow.lab import Lab

__all__ = ["load_dataset", "prepare"]

_log = logging.getLogger(__name__)


def prepare(lab: Lab, raw: Raw | None = None) -> Dataset:
    """The dataset of a raw table; the same rows under the same settings are prepared once.

    Raises:
        DataError: the table is not fit for the task.
        CheckFailed: a near-certain leak.
    """
    lab.dataset.goal  # noqa: B018 - a missing target is told before anything is read
    raw = raw or collect(lab)
    proposal = lab.prepare.proposal(raw, lab.dataset)
    if proposal:
        return cast("Dataset", _Proposal.of(lab, proposal))
    recipe = recipe_of(lab, raw)
    known = find_dataset(lab.lake, raw.name, recipe)
    if known is not None:
        _log.info("%s; nothing changed, so it is used as it is", known)
        return known
    clock = Clock()
    with clock.step("clean"), Spill(lab.folder) as spill:
        prepared, parts = _streamed(lab, raw, spill) or _in_memory(lab, raw)
    for note in prepared.notes:
        _log.info("  %s", note)
    with clock.step("digest"):
        dataset = _dataset(lab, raw, prepared, parts)
    return record_prepare(lab, raw, prepared, dataset, lambda checked: write_dataset(lab.lake, checked, recipe), clock)


class _Proposal(str):
    """What `prepare.propose=true` prints in place of a dataset."""

    __slots__ = ()

    @classmethod
    def of(cls, lab: Lab, text: str) -> _Proposal:
        if lab.verb != "prepare":
            raise ConfigError("`prepare.propose`", "is for `leaflab prepare` alone", got=lab.verb)
        return cls(text)


_Divided = tuple["Prepared", Mapping[str, "pa.Table"]]
"""What was prepared, and its parts."""


def _streamed(lab: Lab, raw: Raw, spill: Spill) -> _Divided | None:
    """The parts of a table too large for memory, which stay on disk."""
    table = f"raw/{raw.name}"
    stream = lab.prepare.streamed(raw.rows, lambda: lab.lake.stream(table, raw.version, coded=True), lab.dataset, spill)
    return None if stream is None else stream.run(lambda prepared: _assigned(lab, prepared), lab.split.aside)


def _in_memory(lab: Lab, raw: Raw) -> _Divided:
    import pyarrow as pa

    prepared, codes = _assigned(lab, lab.prepare.clean(raw.table, lab.dataset, lab.split.aside))
    return prepared, {part: prepared.table.filter(pa.array(codes == code)) for code, part in enumerate(PARTS)}


def _assigned(lab: Lab, prepared: Prepared) -> tuple[Prepared, NDArray[np.int8]]:
    """The part of each row, and what is known after near-duplicates that stood apart were set aside."""
    codes, apart = settled(lab.split.assign(prepared, lab.seed), prepared)
    return prepared.set_aside(apart, "near_duplicate", "nearly the same row stands in a later part"), codes


def _dataset(lab: Lab, raw: Raw, prepared: Prepared, parts: Mapping[str, pa.Table]) -> Dataset:
    rows = sum(table.num_rows for table in parts.values())
    facts = {"notes": list(prepared.notes)}
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
        facts={**prepared.facts, **facts, "shares": {part: t.num_rows / rows for part, t in parts.items()}},
        monotone=prepared.monotone,
    )
    dataset = lab.prepare.adjust(dataset)
    return replace(dataset, digests={part: digest(table).table for part, table in dataset.parts.items()})
