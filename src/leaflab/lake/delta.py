"""Delta Lake tables in a folder or an object store."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaflab.errors import LakeError
from leaflab.lake.base import Lake, TableVersion
from leaflab.option import option

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset
    from pyarrow.fs import FileSystem

    from leaflab.lake.staging import Staged

__all__ = ["Delta"]

_NAME = re.compile(r"[\w][\w .-]*(/[\w][\w .-]*)*")
_KEEP_LOG = {"delta.logRetentionDuration": "interval 36500 days"}
_ATTEMPTS = 20


@option
class Delta(Lake):
    """Tables as Delta Lake keeps them: Parquet files, and a log whose every entry is one whole version.

    Files are written first and named by a commit afterwards, so that a reader never sees half a write, a killed writer
    leaves the previous version, and content that is there already makes no new version.

    Args:
        path: folder or object store URL (`s3://bucket/lake`, `gs://…`, `az://…`).
        storage: options of the object store (keys, endpoint), as deltalake takes them.
    """

    path: str
    storage: dict[str, str] = field(default_factory=dict)

    def write(
        self,
        name: str,
        data: pa.Table | pa.RecordBatchReader,
        *,
        mode: Literal["overwrite", "append"] = "overwrite",
        digest: str = "",
        meta: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        new_columns: Literal["add", "refuse"] = "refuse",
    ) -> TableVersion:
        import pyarrow as pa

        from leaflab.lake.staging import stage
        from leaflab.lake.types import kept, kept_schema

        newest = self.current(name)
        if mode == "overwrite" and digest and newest and newest.digest == digest:
            return newest
        schema = kept_schema(data.schema, name)
        if mode == "append" and newest:
            schema = self._joined(name, schema, new_columns)
        batches = data.to_batches() if isinstance(data, pa.Table) else data
        with self._failures(name, "written"):
            staged = stage(self._files(name), schema, kept(batches, schema))
            found = digest or ("" if mode == "append" else staged.digest.table)
            if mode == "overwrite" and newest and newest.digest == found:
                staged.drop()
                return newest
            facts = {"digest": found, "meta": dict((meta() if callable(meta) else meta) or {})}
            return self._commit(name, staged, mode, facts)

    def _joined(self, name: str, new: pa.Schema, new_columns: str) -> pa.Schema:
        """The schema of a table with rows of a new schema appended; columns are added to the table where allowed."""
        import pyarrow as pa
        from deltalake import CommitProperties, Field, Schema

        from leaflab.lake.types import joined

        with self._failures(name, "written"):
            table = self._open(name)
            assert table is not None
            old = pa.schema(table.schema().to_arrow())
            schema, added = joined(old, new, name, new_columns)
            if added:
                note = {"mode": "append", "added": 0, "meta": {"columns added": added.names}}
                said = CommitProperties(custom_metadata={"leaflab": json.dumps(note)})
                fields: list[Field] = Schema.from_arrow(added).fields
                table.alter.add_columns(fields, commit_properties=said)
        return schema

    def _commit(self, name: str, staged: Staged, mode: str, facts: Mapping[str, Any]) -> TableVersion:
        """Names the staged files in the log; another writer's commit in between means another attempt."""
        from deltalake.exceptions import DeltaError

        ours = uuid.uuid4().hex
        try:
            for attempt in range(_ATTEMPTS):
                note = {"id": ours, "mode": mode, "added": staged.rows, "size": staged.size, **facts}
                try:
                    self._named(name, staged, mode, note)
                    break
                except DeltaError:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    time.sleep(0.05 * (attempt + 1))
        except BaseException:
            if self._committed(name, ours) is None:
                staged.drop()
            raise
        version = self._committed(name, ours)
        assert version is not None
        return version

    def _committed(self, name: str, ours: str) -> TableVersion | None:
        """The version that a commit made, found by the id it carries."""
        at = next((e["version"] for e in self._log(name) if _note(e).get("id") == ours), None)
        return next((v for v in self.versions(name) if v.version == at), None)

    def _named(self, name: str, staged: Staged, mode: str, note: Mapping[str, Any]) -> None:
        from deltalake import CommitProperties, Schema
        from deltalake.transaction import create_table_with_add_actions

        # deltalake's own retry of an overwrite keeps what another writer added in between: it must not retry
        retries = None if mode == "append" else 0
        said = CommitProperties({"leaflab": json.dumps(note, default=str)}, max_commit_retries=retries)
        schema = Schema.from_arrow(staged.schema)
        table = self._open(name)
        if table is not None:
            table.create_write_transaction(staged.actions, mode, schema, commit_properties=said)
            return
        create_table_with_add_actions(
            self._where(name), schema, staged.actions, configuration=_KEEP_LOG,
            storage_options=self.storage or None, commit_properties=said,
        )  # fmt: skip

    def read(self, name: str, version: int | None = None, columns: list[str] | None = None) -> pa.Table:
        with self._failures(name, "read"):
            return self._dataset(name, version).to_table(columns=columns)

    def stream(self, name: str, version: int | None = None, columns: list[str] | None = None) -> pa.RecordBatchReader:
        with self._failures(name, "read"):
            return self._dataset(name, version).scanner(columns=columns).to_reader()

    def _dataset(self, name: str, version: int | None) -> Dataset:
        """The files of a version in the order their rows were written; a column added later is null in older files."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        table = self._open(name)
        if table is None:
            raise LakeError(f"'{name}'", f"is not in the lake '{self.path}'", hint="run `leaflab lake` to see what is")
        known = [entry["version"] for entry in reversed(self._log(name))]
        if version is not None and version not in known:
            raise LakeError(f"'{name}'", "has no such version", got=version, hint=f"it has {known[0]} to {known[-1]}")
        if version is not None and version != table.version():
            table.load_as_version(version)
        schema = pa.schema(table.schema().to_arrow())
        paths: list[Any] = pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()
        kind, files = ds.ParquetFileFormat(), self._files(name)
        parts = [kind.make_fragment(path, files) for path in sorted(paths)]
        return ds.FileSystemDataset(parts, schema, kind, files)

    def versions(self, name: str) -> list[TableVersion]:
        with self._failures(name, "read"):
            log, rows, found = self._log(name), 0, []
        for entry in reversed(log):
            note = _note(entry)
            rows = int(note.get("added", 0)) + (rows if note.get("mode") == "append" else 0)
            found.append(_version(name, entry, rows))
        return found

    def tables(self) -> list[str]:
        with self._failures("tables", "read"):
            return sorted(self._descend(self._files_at(self._root), "", 0))

    def _descend(self, files: FileSystem, folder: str, depth: int) -> Iterator[str]:
        from pyarrow.fs import FileSelector, FileType

        if depth > 4 or (not folder and "://" not in self.path and not Path(self.path).is_dir()):
            return
        inside = [i.path for i in files.get_file_info(FileSelector(folder)) if i.type == FileType.Directory]
        if any(Path(path).name == "_delta_log" for path in inside):
            yield folder
            return
        for path in inside:
            yield from self._descend(files, path, depth + 1)

    def current(self, name: str) -> TableVersion | None:
        with self._failures(name, "read"):
            table = self._open(name)
            return None if table is None else _version(name, table.history(1)[0], table.count())

    def _log(self, name: str, limit: int | None = None) -> list[dict[str, Any]]:
        """What the table's log says of each version, newest first."""
        table = self._open(name)
        return [] if table is None else table.history(limit)

    def _open(self, name: str) -> DeltaTable | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self._where(name), storage_options=self.storage or None)
        except TableNotFoundError:
            return None

    @property
    def _root(self) -> str:
        return self.path.rstrip("/") if "://" in self.path else str(Path(self.path).resolve())

    def _where(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise LakeError(f"'{name}'", "is no table name", hint="use letters, digits, dots, dashes and underscores")
        return f"{self._root}/{name}"

    def _files(self, name: str) -> FileSystem:
        """The files of a table; its folder is made where it is missing."""
        where = self._where(name)
        if "://" not in where:
            Path(where).mkdir(parents=True, exist_ok=True)
        return self._files_at(where)

    def _files_at(self, where: str) -> FileSystem:
        from pyarrow.fs import LocalFileSystem, PyFileSystem, SubTreeFileSystem

        if "://" not in where:
            return SubTreeFileSystem(where, LocalFileSystem())
        from deltalake.fs import DeltaStorageHandler

        return PyFileSystem(DeltaStorageHandler(where, self.storage))

    @contextmanager
    def _failures(self, name: str, what: str) -> Iterator[None]:
        """The store's own failures as one sentence."""
        from deltalake.exceptions import DeltaError

        try:
            yield
        except (OSError, DeltaError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise LakeError(f"lake table '{name}' in '{self.path}'", f"cannot be {what} ({reason})") from error


def _note(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What leaflab recorded with a version; {} where another writer made it."""
    return dict(json.loads(entry.get("leaflab") or "{}"))


def _version(name: str, entry: Mapping[str, Any], rows: int) -> TableVersion:
    note = _note(entry)
    return TableVersion(
        name=name,
        version=int(entry["version"]),
        rows=rows,
        digest=str(note.get("digest", "")),
        meta=note.get("meta", {}),
        written=entry["timestamp"] / 1000,
        size=int(note.get("size", 0)),
    )
