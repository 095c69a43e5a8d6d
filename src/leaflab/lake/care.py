"""Housekeeping: files that no version needs, and tables in too many small files."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from leaflab.lake.store import actions, divided_by

if TYPE_CHECKING:
    from leaflab.lake.base import TableVersion
    from leaflab.lake.delta import Delta

__all__ = ["Waste", "compact", "crowded", "vacuum", "waste"]

_DAY = 86_400


@dataclass(frozen=True)
class Waste:
    """A file that can go: its path in the table's folder, its bytes, and why nobody needs it."""

    path: str
    size: int
    why: str


def waste(lake: Delta, name: str, *, days: float, history: bool) -> list[Waste]:
    """Files of a table that can go: leftovers of killed writers, and with `history` what only old versions hold.

    Args:
        lake: the lake.
        name: the table.
        days: younger files stay, since a writer may be about to commit them.
        history: whether versions replaced more than `days` ago may lose their files; they cannot be read afterwards.

    Raises:
        LakeError: the table is not there or cannot be read.
    """
    from pyarrow.fs import FileSelector

    store = lake.store
    with store.failures(name, "read"):
        table = store.must_open(name)
        current = set(actions(table).column("path").to_pylist())
        added, removed = _logged(lake, name)
        found = []
        for info in store.files(name).get_file_info(FileSelector("", recursive=True)):
            if not info.path.endswith(".parquet") or info.path.startswith("_delta_log/") or info.path in current:
                continue
            old = time.time() - max(info.mtime.timestamp(), removed.get(info.path, 0.0)) > days * _DAY
            if old and info.path not in added:
                found.append(Waste(info.path, info.size, "no version names it"))
            elif old and history:
                found.append(Waste(info.path, info.size, "only older versions hold it"))
        return sorted(found, key=lambda each: each.path)


def vacuum(lake: Delta, name: str, gone: list[Waste]) -> None:
    """Removes files that `waste` found."""
    files = lake.store.files(name)
    with lake.store.failures(name, "vacuumed"):
        for each in gone:
            files.delete_file(each.path)


def crowded(lake: Delta, name: str) -> int:
    """Files of a table's newest version."""
    with lake.store.failures(name, "read"):
        return int(actions(lake.store.must_open(name)).num_rows)


def compact(lake: Delta, name: str) -> TableVersion:
    """Writes a table's rows, in their order, into few large files, as a new version with the same content.

    Raises:
        LakeError: the table cannot be read or written, or another writer came in between; nothing is changed then.
    """
    from leaflab.lake.staging import stage

    store = lake.store
    with store.failures(name, "compacted"):
        table = store.must_open(name)
        before = store.versions(name)[table.version()]
        stream = lake.stream(name, table.version())
        staged = stage(store.files(name), stream.schema, stream, divided_by(table))
        meta = {**before.meta, "compacted": before.version}
        return lake.commit(name, staged, "overwrite", {"digest": staged.digest, "meta": meta}, onto=table)


def _logged(lake: Delta, name: str) -> tuple[set[str], dict[str, float]]:
    """Every file that any version ever named, and when those that were removed were."""
    from pyarrow.fs import FileSelector

    files = lake.store.files(name)
    added: set[str] = set()
    removed: dict[str, float] = {}
    for info in files.get_file_info(FileSelector("_delta_log")):
        if not info.path.endswith(".json"):
            continue
        with files.open_input_stream(info.path) as stream:
            entries = [json.loads(line) for line in stream.read().splitlines() if line.strip()]
        for entry in entries:
            if "add" in entry:
                added.add(unquote(entry["add"]["path"]))
            elif "remove" in entry:
                removed[unquote(entry["remove"]["path"])] = entry["remove"].get("deletionTimestamp", 0) / 1000
    return added, removed
