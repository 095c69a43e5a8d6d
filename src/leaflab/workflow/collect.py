"""`leaflab collect`: reads a source into a versioned raw table of the lake."""

from __future__ import annotations

import getpass
import logging
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leaflab.errors import SourceError
from leaflab.identity import Digester, fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Input, Metric, Raw, Tag

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import TableVersion
    from leaflab.source.base import Reading, Source
    from leaflab.values import Item
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
    if before is not None and lab.lake.pinned:
        _log.info("%s as it was: nothing is collected", before)
        return _raw(lab, before, before.meta.get("quarantined", 0))
    with _alone(lab):
        reading = _source(lab, name).read()
        written, reading = reading.into(lambda reading: _write(lab, name, reading, before))
    raw = _raw(lab, written, len(reading.bad))
    for note in reading.notes:
        _log.info("  %s", note)
    if before is not None and before.version == written.version:
        _log.info("  nothing changed since version %d was collected", before.version)
    if lab.verb != "collect":
        _log.info("%s", raw)
    else:
        _record(lab, raw, written, time.time() - started)
    return raw


@contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    """One collect of a name at a time: two that read on from one mark would bring the same rows twice."""
    import fcntl

    lock = lab.folder / "locks" / f"collect-{lab.dataset.name}"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _source(lab: Lab, name: str) -> Source:
    """The source, or what is new of it where rows are appended and it can tell."""
    if lab.collect.mode == "overwrite":
        return lab.source
    marks = [version.meta["mark"] for version in lab.lake.versions(name) if "mark" in version.meta]
    return lab.source.after(marks[-1]) if marks else lab.source


def _raw(lab: Lab, version: TableVersion, quarantined: int) -> Raw:
    return Raw(
        name=str(lab.dataset.name),
        version=version.version,
        digest=version.digest or _digest(lab.lake.stream(version.name, version.version)),
        load=lambda: lab.lake.read(version.name, version.version),
        uri=str(version.meta.get("uri", "")),
        rows=version.rows,
        quarantined=quarantined,
    )


def _digest(stream: pa.RecordBatchReader) -> str:
    digester = Digester(stream.schema)
    for batch in stream:
        digester.update(batch)
    return digester.result().table


def _write(lab: Lab, name: str, reading: Reading, before: TableVersion | None) -> TableVersion:
    if before is not None and lab.collect.mode == "overwrite" and lab.collect.on_new_columns == "refuse":
        _same_source(name, reading, before)

    import pyarrow as pa

    first = next(reading.batches, None)
    if first is None and before is not None and reading.mark is not None:
        return before

    def batches() -> Iterator[pa.RecordBatch]:
        yield from () if first is None else (first,)
        yield from reading.batches
        _quarantine(lab, reading)

    return lab.lake.write(
        name,
        pa.RecordBatchReader.from_batches(reading.schema, batches()),
        mode=lab.collect.mode,
        meta=lambda: _lineage(reading),
        new_columns=lab.collect.on_new_columns,
    )


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


def _lineage(reading: Reading) -> Mapping[str, Any]:
    return {
        "uri": reading.uri,
        "who": f"{getpass.getuser()}@{platform.node()}",
        "quarantined": len(reading.bad),
        "schema": {field.name: str(field.type) for field in reading.schema},
        "notes": list(reading.notes),
        **({"mark": reading.mark()} if reading.mark else {}),
    }


def _quarantine(lab: Lab, reading: Reading) -> None:
    """Sets bad lines aside before the rows are committed; the same lines are set aside once."""
    if not reading.bad:
        return
    import pyarrow as pa

    rows = [
        {"source": b.source or reading.uri, "line": b.line, "rule": "unreadable", "reason": b.reason, "raw": b.raw}
        for b in reading.bad
    ]
    name, key = f"quarantine/{lab.dataset.name}", fold({"rows": rows})
    if all(version.meta.get("key") != key for version in lab.lake.versions(name)):
        text = pa.string()
        columns: dict[str, pa.DataType] = {
            "source": text,
            "line": pa.int64(),
            "rule": text,
            "reason": text,
            "raw": text,
        }
        lab.lake.write(name, pa.Table.from_pylist(rows, schema=pa.schema(columns)), mode="append", meta={"key": key})


def _record(lab: Lab, raw: Raw, written: TableVersion, seconds: float) -> None:
    """One MLflow run a version; collecting the same rows again continues it."""
    key = f"collect {raw.name}@{raw.version} {raw.digest}"
    spec = RunSpec(lab.name, "collect", f"collect {raw.name}", key=key, adopt=True)
    with lab.tracking.start(spec) as run:
        run.log(_items(raw, written, seconds))


def _items(raw: Raw, written: TableVersion, seconds: float) -> Iterator[Item]:
    yield Metric("rows/in", raw.rows + raw.quarantined)
    yield Metric("rows/out", raw.rows)
    yield Metric("rows/quarantined", raw.quarantined)
    yield Metric("time/collect_seconds", seconds)
    yield Tag("leaflab.source", raw.uri)
    schema = written.meta.get("schema", {})
    yield Input(raw.name, raw.digest, "raw", f"lake/raw/{raw.name}@{raw.version}", raw.rows, schema)
