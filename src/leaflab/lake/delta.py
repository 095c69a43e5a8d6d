"""Delta Lake tables in a folder or an object store."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from leaflab.errors import LakeError
from leaflab.lake.base import Lake, TableVersion
from leaflab.lake.growing import Growing
from leaflab.lake.store import Store, actions, divided_by
from leaflab.option import option

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

    from leaflab.identity import Digester
    from leaflab.lake.staging import Staged

__all__ = ["Delta"]

_KEEP_LOG = {"delta.logRetentionDuration": "interval 36500 days"}
_ATTEMPTS = 20
_READ_AHEAD = {"batch_readahead": 4, "fragment_readahead": 1}  # Arrow's own holds gigabytes of a large table


@option
class Delta(Lake):
    """Tables as Delta Lake keeps them: Parquet files, and a log whose every entry is one whole version.

    Files are written first and named by a commit afterwards, so that a reader never sees half a write, a killed writer
    leaves the previous version, and content that is there already makes no new version.

    Args:
        path: folder or object store URL (`s3://bucket/lake`, `gs://…`, `az://…`).
        storage: options of the object store (keys, endpoint), as deltalake takes them.
        version: raw tables are read at this version instead of the newest.
        as_of: raw tables are read as they were at this time (local where it has no zone).
        partition_by: columns that raw tables are divided by from the next write on; null leaves a table as it is.
    """

    path: str
    storage: dict[str, str] = field(default_factory=dict)
    version: Annotated[int, Field(ge=0)] | None = None
    as_of: datetime | None = None
    partition_by: list[str] | None = None

    @property
    def pinned(self) -> bool:
        return self.version is not None or self.as_of is not None

    @property
    def store(self) -> Store:
        """Where the tables lie."""
        return Store(self.path, self.storage)

    def write(
        self,
        name: str,
        data: pa.Table | pa.RecordBatchReader,
        *,
        mode: Literal["overwrite", "append"] = "overwrite",
        digest: str | Growing = "",
        meta: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        new_columns: Literal["add", "refuse"] = "refuse",
    ) -> TableVersion:
        import pyarrow as pa

        from leaflab.lake.types import joined, kept_schema

        store = self.store
        with store.failures(name, "written"):
            table = store.open(name)
            newest = table and store.newest(name, table)
            schema, added = kept_schema(data.schema, name), pa.schema([])
            columns = self._division(name, schema, mode, table)
            same = newest if table and mode == "overwrite" and divided_by(table) == columns else None
            if digest and same and same.digest == digest:
                return same
            if table and mode == "append":
                schema, added = joined(pa.schema(table.schema().to_arrow()), schema, name, new_columns)
            grows = digest if isinstance(digest, Growing) and not columns else None
            so_far = grows.upto(self, newest).widened(schema) if grows and newest else None
            wide = so_far.result().table if so_far and added else ""
            staged = self._staged(name, schema, data, columns, so_far)
            given = digest if isinstance(digest, str) and not columns else ""  # dividing changes the order of rows
            found = given or (staged.digest if mode == "overwrite" or (grows and staged.follows(table)) else "")
            if same and same.digest == found:
                staged.drop()
                return same
            said = _said(meta, staged)
            if table and added:
                self._widen(name, table, added, said, wide)
            if grows:
                staged.onto = -1 if newest is None else newest.version + bool(added)
            version = self.commit(name, staged, mode, {"digest": found, "meta": said})
            if grows and version.digest:
                grows.stands(version.version, staged.digester)
            return version

    def _division(self, name: str, schema: pa.Schema, mode: str, table: DeltaTable | None) -> tuple[str, ...]:
        """The columns that a write divides a table by: those that are asked for, else those it is divided by."""
        from leaflab.lake.division import checked

        has = None if table is None else divided_by(table)
        asked = self.partition_by if name.startswith("raw/") else None
        columns = has or () if asked is None else tuple(asked)
        if mode == "overwrite" or has is None:
            return checked(columns, schema, name)
        if columns != has:
            by = " and ".join(map(repr, has)) or "nothing"
            raise LakeError(
                f"'{name}'", f"is divided by {by}", got=list(columns), hint="only an overwrite changes that"
            )
        return columns

    def _staged(
        self,
        name: str,
        schema: pa.Schema,
        data: pa.Table | pa.RecordBatchReader,
        columns: Sequence[str],
        so_far: Digester | None,
    ) -> Staged:
        """The rows in files that are not part of the table yet."""
        import pyarrow as pa

        from leaflab.lake.staging import stage
        from leaflab.lake.types import kept

        batches = data.to_batches() if isinstance(data, pa.Table) else data
        try:
            return stage(self.store.files(name), schema, kept(batches, schema), columns, so_far)
        except BaseException:
            self.store.tidy(name)
            raise

    def _widen(self, name: str, table: DeltaTable, added: pa.Schema, said: Mapping[str, Any], digest: str) -> None:
        """Gives a table more columns, as a version of its own; what the writer said of rows is of the next one."""
        from deltalake import CommitProperties, Schema

        due = table.version() + 1
        meta = {key: said[key] for key in ("uri", "who", "schema") if key in said} | {"rows in": 0, "quarantined": 0}
        note = {"mode": "append", "added": 0, "meta": meta | {"columns added": added.names}}
        fields: list[Any] = Schema.from_arrow(added).fields
        table.alter.add_columns(fields, commit_properties=CommitProperties({"leaflab": json.dumps(note, default=str)}))
        if digest and table.version() == due:
            self.store.remember(TableVersion(name, due, 0), digest)

    def commit(
        self, name: str, staged: Staged, mode: str, facts: Mapping[str, Any], onto: DeltaTable | None = None
    ) -> TableVersion:
        """Names staged files in the log; another writer's commit in between means another attempt.

        Args:
            name: the table.
            staged: its new files; removed again where they cannot be committed.
            mode: "overwrite" or "append".
            facts: `digest` and `meta` of the version.
            onto: commit onto this version or fail, whatever was committed since.
        """
        from deltalake.exceptions import DeltaError

        ours = uuid.uuid4().hex
        note = {"id": ours, "mode": mode, "added": staged.rows, "size": staged.size, **facts}
        try:
            for attempt in range(1 if onto else _ATTEMPTS):
                table = onto or self.store.open(name)
                if staged.onto not in (None, -1 if table is None else table.version()):
                    note["digest"], staged.onto = "", None  # another writer's rows lie in between
                try:
                    self._named(name, staged, mode, note, table)
                    break
                except DeltaError:
                    if onto or attempt == _ATTEMPTS - 1:
                        raise
                    time.sleep(0.05 * (attempt + 1))
        except BaseException:
            if self.store.committed(name, ours) is None:
                staged.drop()
            raise
        version = self.store.committed(name, ours)
        assert version is not None
        return version

    def _named(self, name: str, staged: Staged, mode: str, note: Mapping[str, Any], table: DeltaTable | None) -> None:
        from deltalake import CommitProperties, Schema
        from deltalake.transaction import create_table_with_add_actions

        # deltalake's own retry of an overwrite keeps what another writer added in between: it must not retry, nor may
        # it where a digest is of what was there before
        retries = None if mode == "append" and staged.onto is None else 0
        said = CommitProperties({"leaflab": json.dumps(note, default=str)}, max_commit_retries=retries)
        schema, has = Schema.from_arrow(staged.schema), None if table is None else divided_by(table)
        # an overwrite with other columns replaces the table: only that lets it hold a type it was not made for
        fits = mode == "append" or (table is not None and table.schema() == schema)
        if table is not None and has == staged.columns and fits:
            table.create_write_transaction(staged.actions, mode, schema, list(has), commit_properties=said)
            return
        if table is not None and mode == "append":
            raise LakeError(f"'{name}'", "was divided anew while rows were appended", hint="append them again")
        create_table_with_add_actions(
            self.store.where(name), schema, staged.actions, "error" if table is None else "overwrite",
            list(staged.columns), configuration=_KEEP_LOG, storage_options=self.store.options or None,
            commit_properties=said,
        )  # fmt: skip

    def read(self, name: str, version: int | None = None, columns: list[str] | None = None) -> pa.Table:
        with self.store.failures(name, "read"):
            return self._dataset(name, version).to_table(columns=columns)

    def stream(
        self, name: str, version: int | None = None, columns: list[str] | None = None, *, coded: bool = False
    ) -> pa.RecordBatchReader:
        with self.store.failures(name, "read"):
            scanner = self._dataset(name, version, coded=coded).scanner(columns=columns, **_READ_AHEAD)
            return self.store.read(name, scanner.to_reader())

    def _dataset(self, name: str, version: int | None, *, coded: bool = False) -> Dataset:
        """The files of a version in the order of its rows."""
        import pyarrow as pa

        from leaflab.lake.division import dataset, with_dictionaries

        table = self.store.must_open(name)
        if version is None and self._is_pinned(name):
            version = self._pin(name).version
        if version is not None and not 0 <= version <= table.version():
            raise LakeError(f"'{name}'", "has no such version", got=version, hint=f"it has 0 to {table.version()}")
        if version is not None and version != table.version():
            table.load_as_version(version)
        schema = pa.schema(table.schema().to_arrow())
        parted = divided_by(table)
        if coded:
            schema = with_dictionaries(schema, parted)
        return dataset(self.store.files(name), schema, actions(table), parted)

    def versions(self, name: str) -> list[TableVersion]:
        with self.store.failures(name, "read"):
            return self.store.versions(name)

    def tables(self) -> list[str]:
        with self.store.failures("tables", "read"):
            return self.store.tables()

    def keep(self, file: Path, digest: str) -> None:
        with self.store.failures(f"media/{digest}", "written"):
            self.store.keep(file, digest)

    def digest(self, version: TableVersion) -> str:
        found = super().digest(version)
        if not version.digest:
            with self.store.failures(version.name, "written"):
                self.store.remember(version, found)
        return found

    def divided(self, columns: Sequence[str] | None) -> Delta:
        return self if columns is None else replace(self, partition_by=list(columns))

    def current(self, name: str) -> TableVersion | None:
        with self.store.failures(name, "read"):
            return self._pin(name) if self._is_pinned(name) else self.store.newest(name)

    def _is_pinned(self, name: str) -> bool:
        return self.pinned and name.startswith("raw/")

    def _pin(self, name: str) -> TableVersion:
        """The version of a raw table that `version` or `as_of` names."""
        self.store.must_open(name)
        known = self.store.versions(name)
        if self.as_of is None:
            found = [v for v in known if v.version == self.version]
            rule, got = f"has only the versions 0 to {known[-1].version}", str(self.version)
        else:
            found = [v for v in known if v.written <= self.as_of.timestamp()]
            first = datetime.fromtimestamp(known[0].written).isoformat(" ", "seconds")
            rule, got = f"has no version that old, its first is of {first}", self.as_of.isoformat(" ")
        if not found:
            raise LakeError(f"'{name}'", rule, got=got)
        return found[-1]


def _said(meta: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None, staged: Staged) -> dict[str, Any]:
    """What a version's log is to hold; where it cannot be told, the files go."""
    try:
        return dict((meta() if callable(meta) else meta) or {})
    except BaseException:
        staged.drop()
        raise
