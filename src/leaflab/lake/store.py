"""Where the tables of a Delta lake lie, and what their logs say."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from leaflab.errors import LakeError
from leaflab.lake.base import TableVersion

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.fs import FileSystem

__all__ = ["Store", "actions", "divided_by", "note_of"]

_NAME = re.compile(r"[\w][\w .-]*(/[\w][\w .-]*)*")
_DEPTH = 4
_LOOK_AGAIN = (0.05, 0.1, 0.2, 0.4)
_DIGESTS = "_digests"  # beside the log; Delta Lake leaves alone what begins with a line below
_PATIENCE = {"max_retries": "4", "retry_timeout": "20s"}


@dataclass(frozen=True)
class Store:
    """A folder or object store that holds Delta tables in folders of their names."""

    path: str
    storage: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str]:
        """Options of the object store; one that does not answer is given up after seconds, not minutes."""
        return {**_PATIENCE, **self.storage} if "://" in self.path else dict(self.storage)

    @property
    def root(self) -> str:
        return self.path.rstrip("/") if "://" in self.path else str(Path(self.path).resolve())

    def where(self, name: str) -> str:
        """A table's folder.

        Raises:
            LakeError: the name leads out of the lake or holds characters that a folder's should not.
        """
        if not _NAME.fullmatch(name):
            raise LakeError(f"'{name}'", "is no table name", hint="use letters, digits, dots, dashes and underscores")
        return f"{self.root}/{name}"

    def files(self, name: str) -> FileSystem:
        """The files of a table; its folder is made where it is missing."""
        where = self.where(name)
        if "://" not in where:
            Path(where).mkdir(parents=True, exist_ok=True)
        return self._files_at(where)

    def tidy(self, name: str) -> None:
        """Removes the folders of a table that was not made after all."""
        folder = Path(self.where(name))
        if "://" not in self.root and not (folder / "_delta_log").exists():
            for inner in sorted(folder.rglob("*"), reverse=True):
                with suppress(OSError):
                    inner.rmdir()
        while "://" not in self.root and folder != Path(self.root):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _files_at(self, where: str) -> FileSystem:
        from pyarrow.fs import LocalFileSystem, PyFileSystem, SubTreeFileSystem

        if "://" not in where:
            return SubTreeFileSystem(where, LocalFileSystem())
        from deltalake.fs import DeltaStorageHandler

        return PyFileSystem(DeltaStorageHandler(where, self.options))

    def open(self, name: str) -> DeltaTable | None:
        """The table at its newest version; None where there is none."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.where(name), storage_options=self.options or None)
        except TableNotFoundError:
            return None

    def must_open(self, name: str) -> DeltaTable:
        """The table at its newest version.

        Raises:
            LakeError: there is none.
        """
        table = self.open(name)
        if table is None:
            raise LakeError(f"'{name}'", f"is not in the lake '{self.path}'", hint="run `leaflab lake` to see what is")
        return table

    def division(self, name: str) -> tuple[str, ...] | None:
        """The columns that a table is divided by; None where there is no table."""
        table = self.open(name)
        return None if table is None else divided_by(table)

    def tables(self) -> list[str]:
        """Names of all tables."""
        if "://" not in self.root and not Path(self.root).is_dir():
            return []
        return sorted(self._below(self._files_at(self.root), "", 0))

    def _below(self, files: FileSystem, folder: str, depth: int) -> Iterator[str]:
        from pyarrow.fs import FileSelector, FileType

        inside = [i.path for i in files.get_file_info(FileSelector(folder)) if i.type == FileType.Directory]
        if any(Path(path).name == "_delta_log" for path in inside):
            yield folder
        elif depth < _DEPTH:
            for path in inside:
                yield from self._below(files, path, depth + 1)

    def versions(self, name: str) -> list[TableVersion]:
        """The versions of a table, oldest first; rows and bytes add up over appends."""
        table = self.open(name)
        found: list[TableVersion] = []
        digests = self._digests(name)
        for entry in reversed([] if table is None else table.history()):
            note = note_of(entry)
            before = found[-1] if found and note.get("mode") == "append" else TableVersion(name, -1, 0)
            rows, size = before.rows + int(note.get("added", 0)), before.size + int(note.get("size", 0))
            found.append(_version(name, entry, rows, size, digests))
        return found

    def newest(self, name: str, table: DeltaTable | None = None) -> TableVersion | None:
        """The newest version of a table (that which is open), told without its whole log; None where there is none."""
        table = table or self.open(name)
        if table is None:
            return None
        size = sum(actions(table).column("size_bytes").to_pylist())
        return _version(name, table.history(1)[0], table.count(), size, self._digests(name))

    def remember(self, version: TableVersion, digest: str) -> None:
        """Keeps a digest that was computed after its version was written, as the name of an empty file."""
        files = self.files(version.name)
        files.create_dir(_DIGESTS)
        with files.open_output_stream(f"{_DIGESTS}/{version.version}-{digest}"):
            pass

    def _digests(self, name: str) -> dict[int, str]:
        from pyarrow.fs import FileSelector

        where = self.where(name)
        if "://" not in where and not Path(where).is_dir():
            return {}
        kept = self._files_at(where).get_file_info(FileSelector(_DIGESTS, allow_not_found=True))
        return {int(number): digest for number, _, digest in (info.base_name.partition("-") for info in kept)}

    def committed(self, name: str, ours: str) -> TableVersion | None:
        """The version that a commit made, found by the id it carries.

        A log that is listed while another writer adds to it may come without its newest entry: not finding it once is
        no proof that it is not there, and its files must not be taken for waste.
        """
        for pause in (0.0, *_LOOK_AGAIN):
            time.sleep(pause)
            table = self.open(name)
            if table is None:
                continue
            if note_of(table.history(1)[0]).get("id") == ours:
                return self.newest(name, table)
            at = next((entry["version"] for entry in table.history() if note_of(entry).get("id") == ours), None)
            if found := next((version for version in self.versions(name) if version.version == at), None):
                return found
        return None

    def keep(self, file: Path, digest: str) -> None:
        """Copies a file to `media/<digest>`; it appears there whole or not at all."""
        import shutil

        from pyarrow.fs import FileType

        files = self.files("media")
        if files.get_file_info(digest).type == FileType.File:
            return
        fresh = f"{digest}.partial" if "://" not in self.root else digest  # an object appears when it is whole
        with file.open("rb") as source, files.open_output_stream(fresh) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        if fresh != digest:
            files.move(fresh, digest)

    def read(self, name: str, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same rows, whose failures on the way are told as one sentence too."""
        import pyarrow as pa

        def batches() -> Iterator[pa.RecordBatch]:
            with self.failures(name, "read"):
                yield from reader

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    @contextmanager
    def failures(self, name: str, what: str) -> Iterator[None]:
        """The store's own failures, and files that are none of Parquet's, as one sentence."""
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        try:
            yield
        except (OSError, DeltaError, pa.ArrowInvalid) as error:
            reason = _reason(error)
            raise LakeError(f"lake table '{name}' in '{self.path}'", f"cannot be {what} ({reason})") from error


def _reason(error: Exception) -> str:
    """The first and the last line of what a store says, which are what failed and why; without colours and XML."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip(" ↳") for line in text.splitlines() if line.strip()]
    why = re.search(r"<Message>([^<\n]+)", text)
    said = [*lines[:1], why[1] if why else "".join(lines[-1:])]
    return ", ".join(dict.fromkeys(said)).rstrip(".") or type(error).__name__


def actions(table: DeltaTable) -> pa.Table:
    """The files of a table's version: `path`, `size_bytes`, `num_records`, `partition.<column>`."""
    import pyarrow as pa

    found = pa.table(table.get_add_actions(flatten=True))
    paths = [unquote(path) for path in found.column("path").to_pylist()]  # the log writes them as parts of a URL
    return found.set_column(found.column_names.index("path"), "path", pa.array(paths, pa.string()))


def divided_by(table: DeltaTable) -> tuple[str, ...]:
    """The columns that a table's version is divided by."""
    return tuple(table.metadata().partition_columns)


def note_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What leaflab recorded with a version; {} where another writer made it."""
    return dict(json.loads(entry.get("leaflab") or "{}"))


def _version(name: str, entry: Mapping[str, Any], rows: int, size: int, digests: Mapping[int, str]) -> TableVersion:
    note, number = note_of(entry), int(entry["version"])
    return TableVersion(
        name=name,
        version=number,
        rows=rows,
        digest=str(note.get("digest", "")) or digests.get(number, ""),
        meta=note.get("meta", {}),
        written=entry["timestamp"] / 1000,
        size=size,
        mode=str(note.get("mode", "")),
    )
