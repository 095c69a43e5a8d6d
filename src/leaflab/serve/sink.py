"""Where answers go: a file that is whole or absent, in the format its ending names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["checked_output", "write_file"]

_GROUP_ROWS = 1 << 19


def checked_output(path: str) -> Path:
    """The output file, before any work is done for it.

    Raises:
        ConfigError: its ending names no format, or its folder does not exist or cannot be written.
    """
    file = Path(path).expanduser()
    if file.suffix.lower() not in _WRITERS:
        raise ConfigError("`output`", f"must end in {', '.join(_WRITERS)}", got=path)
    if not file.parent.is_dir():
        raise ConfigError("`output`", "must lie in a folder that exists", got=path)
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise ConfigError("`output`", "must be a file that can be written", got=path)
    return file


def write_file(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes beside the file and gives it its name when all is there; returns the number of rows."""
    _clear(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        rows = _WRITERS[path.suffix.lower()](partial, schema, batches)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return rows


def _clear(path: Path) -> None:
    """Removes what writers of this file left that were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
        writer = left.suffixes[-2].lstrip(".")
        if writer.isdigit() and not Path(f"/proc/{writer}").exists():
            left.unlink(missing_ok=True)


def _csv(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    from pyarrow.csv import CSVWriter, WriteOptions

    rows = 0
    with CSVWriter(path, schema, write_options=WriteOptions(quoting_style="needed")) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    from pyarrow.parquet import ParquetWriter

    rows = 0
    with ParquetWriter(path, schema, compression="zstd", use_dictionary=["prediction"]) as writer:
        for group in _groups(batches):
            writer.write_table(group)
            rows += group.num_rows
    return rows


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as row groups of a size that is quick to write and to read."""
    import pyarrow as pa

    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(one.num_rows for one in group) >= _GROUP_ROWS:
            yield pa.Table.from_batches(group)
            group = []
    if group:
        yield pa.Table.from_batches(group)


def _lines(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
            rows += batch.num_rows
    return rows


def _json(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            for row in batch.to_pylist():
                file.write(("[" if not rows else ",\n ") + json.dumps(row, ensure_ascii=False))
                rows += 1
        file.write("]\n" if rows else "[]\n")
    return rows


Writer = Callable[[Path, "pa.Schema", Iterable["pa.RecordBatch"]], int]
_WRITERS: dict[str, Writer] = {".csv": _csv, ".parquet": _parquet, ".json": _json, ".jsonl": _lines, ".ndjson": _lines}
