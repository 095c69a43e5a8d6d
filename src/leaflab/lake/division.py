"""Tables divided by the values of columns: a folder a value, so that a reader who asks for a day opens that day only.

The rows of a divided table have one order whatever wrote them: part by part in the order of the parts' values, missing
ones last, and within a part as they were written. Digests are of that order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from leaflab.errors import LakeError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset
    from pyarrow.fs import FileSystem

__all__ = ["as_texts", "checked", "dataset", "folder", "parts", "with_dictionaries"]

_MISSING = "__HIVE_DEFAULT_PARTITION__"
_MOST = 2000  # parts that one write may have


def checked(columns: Sequence[str], schema: pa.Schema, name: str) -> tuple[str, ...]:
    """The columns, if a table of this schema can be divided by them.

    Raises:
        LakeError: one is not there, is of a type that names no folder, or no column would be left.
    """
    import pyarrow as pa

    is_ = pa.types
    for column in columns:
        if column not in schema.names:
            has, hint = ", ".join(schema.names), "name one of its columns in collect.partition_by, or [] for none"
            raise LakeError(f"'{name}'", f"cannot be divided by {column!r}: its columns are {has}", hint=hint)
        kind = schema.field(column).type
        if not any(
            fits(kind) for fits in (is_.is_string, is_.is_integer, is_.is_boolean, is_.is_date, is_.is_timestamp)
        ):
            raise LakeError(f"'{name}'", f"cannot be divided by {column!r}: {kind} is no text, whole number or time")
    if columns and len(set(columns)) == len(schema.names):
        raise LakeError(f"'{name}'", "cannot be divided by all its columns")
    return tuple(dict.fromkeys(columns))


def parts(table: pa.Table, columns: Sequence[str]) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """The parts of a table in their order: the values of `columns`, and the other columns of the rows that have them.

    Raises:
        LakeError: there are thousands, or a value is an empty text, which Delta Lake takes for a missing one.
    """
    rows = table.sort_by([(column, "ascending") for column in columns])
    counts = rows.group_by(list(columns), use_threads=False).aggregate([([], "count_all")])
    if counts.num_rows > _MOST:
        what = f"would divide the table into {counts.num_rows:,} parts or more, {_MOST:,} at most are kept"
        raise LakeError(f"column {', '.join(map(repr, columns))}", what, hint="divide by something coarser, as a day")
    at = 0
    for group in counts.to_pylist():
        count = group.pop("count_all")
        for column, value in group.items():
            if value == "":
                raise LakeError(f"column {column!r}", "holds an empty text, which names no part of a divided table")
        yield group, rows.slice(at, count).drop_columns(list(columns))
        at += count


def as_texts(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Values as Delta Lake's log writes them."""
    return {column: _text(value) for column, value in values.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, dt.datetime) else str(value)


def folder(values: Mapping[str, Any]) -> str:
    """The folder of a part in its table's.

    >>> folder({"site": "north/2", "day": dt.date(2024, 3, 1), "shift": None})
    'site=north%2F2/day=2024-03-01/shift=__HIVE_DEFAULT_PARTITION__'
    """
    said = as_texts(values).items()
    return "/".join(f"{quote(c, safe='')}={_MISSING if t is None else quote(t, safe='')}" for c, t in said)


def dataset(files: FileSystem, schema: pa.Schema, actions: pa.Table, columns: Sequence[str]) -> Dataset:
    """The files of a version in the order of its rows; a column added later is null in older files.

    Args:
        files: the table's folder.
        schema: of the table.
        actions: `path` of each file and `partition.<column>` where the table is divided.
        columns: what it is divided by.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    keys = [f"partition.{column}" for column in columns]
    ordered = actions.select(["path", *keys]).sort_by([(key, "ascending") for key in (*keys, "path")])
    coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    kind, fragments = ds.ParquetFileFormat(dictionary_columns=coded), []
    for row in ordered.to_pylist():
        true = [_is(c, row[k], schema.field(c).type) for c, k in zip(columns, keys, strict=True)]
        fragments.append(kind.make_fragment(row["path"], files, partition_expression=_all(true)))
    return ds.FileSystemDataset(fragments, schema, kind, files)


def with_dictionaries(schema: pa.Schema, but: Sequence[str]) -> pa.Schema:
    """The schema with its texts as dictionaries, save those of some columns."""
    import pyarrow as pa

    coded = pa.dictionary(pa.int32(), pa.string())
    plain = [f.name not in but and (pa.types.is_string(f.type) or pa.types.is_large_string(f.type)) for f in schema]
    return pa.schema([f.with_type(coded) if text else f for f, text in zip(schema, plain, strict=True)])


def _is(column: str, value: Any, kind: pa.DataType) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.field(column).is_null() if value is None else pc.field(column) == pa.scalar(value, kind)


def _all(conditions: Sequence[Any]) -> Any:
    found = None
    for condition in conditions:
        found = condition if found is None else found & condition
    return found
