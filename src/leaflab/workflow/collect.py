"""`leaflab collect`: reads a source into a versioned raw table of the lake."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.identity import fold
from leaflab.lake.growing import Growing
from leaflab.source.base import Stream
from leaflab.workflow.collecting import alone, keep_media, lineage, raw_of, reading_on, record, set_aside

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import TableVersion
    from leaflab.source.base import Reading, Source
    from leaflab.values import Raw
    from leaflab.workflow.lab import Lab

__all__ = ["collect"]

_log = logging.getLogger(__name__)


def collect(lab: Lab) -> Raw:
    """The source as a version of `raw/<name>`; one that holds the same rows already is used as it is.

    Raises:
        SourceError: the source cannot be read, or another source with other columns goes by this name.
        LakeError: the lake cannot be written, or a column cannot be kept without loss.
    """
    started = time.time()
    name = f"raw/{lab.dataset.name}"
    before = lab.lake.current(name)
    if before is not None and (lab.lake.pinned or (isinstance(lab.source, Stream) and lab.verb != "collect")):
        _log.info("%s as it is in the lake: nothing is collected", before)
        return raw_of(lab, before, before.meta.get("quarantined", 0))
    if isinstance(lab.source, Stream):
        from leaflab.workflow.streaming import collect_stream

        return collect_stream(lab, lab.source)
    with alone(lab):
        lab, source = _reading_on(lab, name)
        written, reading = source.read().into(lambda reading: _write(lab, name, reading, before))
    raw = raw_of(lab, written, len(reading.bad))
    for note in reading.notes:
        _log.info("  %s", note)
    if before is not None and before.version == written.version:
        _log.info("  nothing changed since version %d was collected", before.version)
    if lab.verb != "collect":
        _log.info("%s", raw)
    else:
        facts = {"rows/out": reading.rows}
        record(lab, raw, written.meta.get("schema", {}), time.time() - started, facts)
    return raw


def _reading_on(lab: Lab, name: str) -> tuple[Lab, Source]:
    """The source, or what is new of it where it can tell; and the lab, told whether its rows are appended."""
    how = lab.collect
    rest = lab.source if how.mode == "overwrite" else reading_on(lab.source, lab.lake.versions(name))
    if how.mode == "auto":
        how = replace(how, mode="overwrite" if rest is lab.source else "append")
    return replace(lab, collect=how), rest


def _write(lab: Lab, name: str, reading: Reading, before: TableVersion | None) -> TableVersion:
    import pyarrow as pa

    if before is not None and lab.collect.mode == "overwrite" and lab.collect.new_columns == "refuse":
        _same_source(name, reading, before)
    first = next(reading.batches, None)
    if first is None and before is not None and reading.mark is not None:
        return before

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reading.batches if first is None else chain((first,), reading.batches):
            reading.rows += batch.num_rows
            yield batch
        _quarantine(lab, reading)
        keep_media(lab, reading)

    def meta() -> dict[str, object]:
        mark = {"mark": reading.mark()} if reading.mark else {}
        return {**lineage(reading.uri, reading.schema, reading.rows, len(reading.bad), notes=reading.notes), **mark}

    stream = pa.RecordBatchReader.from_batches(reading.schema, batches())
    lake, how = lab.lake.divided(lab.collect.parts), lab.collect
    mode: Any = how.mode
    digest: Any = Growing() if how.mode == "append" else ""
    return lake.write(name, stream, mode=mode, digest=digest, meta=meta, new_columns=how.new_columns)


def _quarantine(lab: Lab, reading: Reading) -> None:
    """Sets bad lines aside before the rows are committed; the same lines are set aside once."""
    key = fold({"uri": reading.uri, "bad": [(b.source, b.line, b.raw) for b in reading.bad]})
    known = lab.lake.versions(f"quarantine/{lab.dataset.name}") if reading.bad else []
    if reading.bad and all(version.meta.get("key") != key for version in known):
        set_aside(lab, reading.bad, reading.uri, {"key": key})


def _same_source(name: str, reading: Reading, before: TableVersion) -> None:
    """Refuses to replace one source's table by another source's with other columns: most likely a slip of the name."""
    known, new = set(before.meta.get("schema", {})), set(reading.schema.names)
    if before.meta.get("uri") in (None, reading.uri) or not known or known == new:
        return
    columns = ", ".join(map(repr, sorted(known ^ new)[:5]))
    raise SourceError(
        f"'{name}'",
        f"was collected from {before.meta['uri']} with other columns than {reading.uri} has ({columns})",
        hint="give this one another dataset.name, or set collect.on_new_columns=add",
    )
