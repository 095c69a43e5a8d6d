"""What every way of collecting leaves behind: lineage, bad lines, and a run that tells of it."""

from __future__ import annotations

import fcntl
import getpass
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leaflab.tracking.base import RunSpec
from leaflab.values import Input, Metric, Raw, Tag

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.lake.base import TableVersion
    from leaflab.source.base import BadLine, Reading, Source
    from leaflab.values import Item
    from leaflab.workflow.lab import Lab

__all__ = ["alone", "keep_media", "last_mark", "lineage", "raw_of", "reading_on", "record", "set_aside"]


@contextmanager
def alone(lab: Lab) -> Iterator[None]:
    """One collect of a name at a time: two that read on from one mark would bring the same rows twice."""
    lock = lab.folder / "locks" / f"collect-{lab.dataset.name}"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def last_mark(lab: Lab, table: str) -> Any:
    """How far a stream is read, as the newest version that knows says; None where none does."""
    marks = (version.meta["mark"] for version in reversed(lab.lake.versions(table)) if "mark" in version.meta)
    return next(marks, None)


def reading_on(source: Source, versions: Sequence[TableVersion]) -> Source:
    """A source without the rows that a table has of it already, as far as it can tell; else the source itself."""
    for version in reversed(versions):
        rest = source.after(version.meta["mark"]) if "mark" in version.meta else source
        replaced = version.mode == "overwrite" and "compacted" not in version.meta
        if rest is not source or replaced:
            return rest
    return source


def lineage(uri: str, schema: pa.Schema, rows: int, quarantined: int, **more: Any) -> Mapping[str, Any]:
    """What a version records of where it came from; when is the time of its commit."""
    return {
        "uri": uri,
        "who": f"{getpass.getuser()}@{platform.node()}",
        "rows in": rows + quarantined,
        "quarantined": quarantined,
        "schema": {field.name: str(field.type) for field in schema},
        **more,
    }


def set_aside(lab: Lab, bad: Sequence[BadLine], uri: str, meta: Mapping[str, Any]) -> None:
    """Appends bad lines to the quarantine."""
    import pyarrow as pa

    text = pa.string()
    columns: dict[str, pa.DataType] = {"source": text, "line": pa.int64(), "rule": text, "reason": text, "raw": text}
    rows = [
        {"source": b.source or uri, "line": b.line, "rule": "unreadable", "reason": b.reason, "raw": b.raw} for b in bad
    ]
    table = pa.Table.from_pylist(rows, schema=pa.schema(columns))
    lab.lake.write(f"quarantine/{lab.dataset.name}", table, mode="append", meta={"uri": uri, **meta})


def keep_media(lab: Lab, reading: Reading) -> None:
    """Keeps the files of a reading, each once, and says in the table `media/index` where they came from."""
    if not reading.media:
        return
    import datetime as dt

    import pyarrow as pa

    text, now = pa.string(), dt.datetime.now(dt.UTC)
    columns: dict[str, pa.DataType] = {"path": text, "digest": text, "kind": text, "size": pa.int64(), "label": text}
    columns |= dict.fromkeys(("width", "height", "duration"), pa.float64())
    columns |= {"source": text, "collected_at": pa.timestamp("us", "UTC")}
    name = "media/index"
    there = lab.lake.read(name, columns=["source", "path", "digest"]) if lab.lake.current(name) else None
    known = set() if there is None else set(zip(*(c.to_pylist() for c in there.columns), strict=True))
    rows = []
    for each in reading.media:
        if (reading.uri, each.path, each.digest) in known:
            continue
        lab.lake.keep(each.file, each.digest)
        facts = {"path": each.path, "digest": each.digest, "kind": each.kind, "size": each.size, "label": each.label}
        rows.append({**facts, **each.shape, "source": reading.uri, "collected_at": now})
    if rows:
        lab.lake.write(name, pa.Table.from_pylist(rows, schema=pa.schema(columns)), mode="append")


def raw_of(lab: Lab, version: TableVersion, quarantined: int) -> Raw:
    """A version as what later verbs take; an appended one is digested whole."""
    return Raw(
        name=str(lab.dataset.name),
        version=version.version,
        digest=lab.lake.digest(version),
        load=lambda: lab.lake.read(version.name, version.version),
        uri=str(version.meta.get("uri", "")),
        rows=version.rows,
        quarantined=quarantined,
    )


def record(lab: Lab, raw: Raw, schema: Mapping[str, str], seconds: float, facts: Mapping[str, float]) -> None:
    """One MLflow run a version; collecting the same rows again continues it.

    Args:
        lab: the lab.
        raw: the version.
        schema: of its rows.
        seconds: how long it took.
        facts: further metrics, among them `rows/out`: how many rows this collect brought.
    """
    key = f"collect {raw.name}@{raw.version} {raw.digest}"
    spec = RunSpec(lab.name, "collect", f"collect {raw.name}", key=key, adopt=True)
    with lab.tracking.start(spec) as run:
        run.log(_items(raw, schema, seconds, facts))


def _items(raw: Raw, schema: Mapping[str, str], seconds: float, facts: Mapping[str, float]) -> Iterator[Item]:
    rows = facts["rows/out"]
    counts = {"rows/in": rows + raw.quarantined, "rows/out": rows, "rows/quarantined": raw.quarantined}
    for name, value in {**counts, "rows/table": raw.rows, "time/collect_seconds": seconds, **facts}.items():
        yield Metric(name, value)
    yield Tag("leaflab.source", raw.uri)
    yield Input(raw.name, raw.digest, "raw", f"lake/raw/{raw.name}@{raw.version}", raw.rows, schema)
