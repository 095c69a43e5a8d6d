"""Which Arrow types the lake keeps, as what, and which it refuses by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaflab.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

__all__ = ["joined", "kept", "kept_schema"]

_INT64_MAX = 2**63 - 1
_DECIMAL_MAX = 38


def kept_schema(schema: pa.Schema, name: str) -> pa.Schema:
    """The schema a table has in the lake; every value of every column survives the change, or `kept` refuses it.

    Texts lose their dictionary, unsigned integers become the next wider signed ones, times count in microseconds (in
    UTC where they have a zone), half floats become floats, and a column without any value is text.

    Raises:
        LakeError: two names differ only in case, or a column holds a time of day, a duration or another type that
            Delta Lake does not have; the column is named.
    """
    import pyarrow as pa

    seen: dict[str, str] = {}
    for column in schema.names:
        if (twin := seen.get(column.casefold())) is not None:
            differ = "stands twice" if twin == column else f"differs from {twin!r} only in case"
            raise LakeError(f"column {column!r}", f"{differ}, which '{name}' cannot keep", hint="rename one")
        seen[column.casefold()] = column
    return pa.schema([pa.field(f.name, _kept_type(f.type, f.name)) for f in schema])


def _kept_type(kind: pa.DataType, column: str) -> pa.DataType:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(kind):
        return _kept_type(kind.value_type, column)
    if is_.is_null(kind) or is_.is_large_string(kind) or is_.is_string_view(kind) or is_.is_string(kind):
        return pa.string()
    if is_.is_unsigned_integer(kind):
        return {8: pa.int16(), 16: pa.int32()}.get(kind.bit_width, pa.int64())
    if is_.is_integer(kind) or is_.is_boolean(kind):
        return kind
    if is_.is_floating(kind):
        return pa.float32() if kind.bit_width == 16 else kind
    if is_.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if is_.is_date(kind):
        return pa.date32()
    if is_.is_large_binary(kind) or is_.is_binary(kind) or is_.is_fixed_size_binary(kind) or is_.is_binary_view(kind):
        return pa.binary()
    if is_.is_decimal(kind) and kind.precision <= _DECIMAL_MAX:
        return pa.decimal128(kind.precision, kind.scale)
    if is_.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([pa.field(f.name, _kept_type(f.type, column)) for f in fields])
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        return pa.list_(_kept_type(kind.value_type, column))
    raise _refusal(column, f"is of type {kind}, which the lake does not keep")


def kept(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.RecordBatch]:
    """The batches as the lake keeps them.

    Raises:
        LakeError: a value does not survive (an integer above 2**63, a time finer than a microsecond); it is named.
    """
    import pyarrow as pa

    for batch in batches:
        if batch.schema.equals(schema):
            yield batch
            continue
        has = set(batch.schema.names)
        arrays = [_cast(batch.column(f.name), f) if f.name in has else pa.nulls(batch.num_rows, f.type) for f in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: Any, field: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(array.type) and array.type != field.type:
        if array.null_count < len(array):
            raise LakeError(f"column {field.name!r}", f"is text where the table has {field.type}")
        return pa.nulls(len(array), field.type)
    try:
        return array if array.type == field.type else array.cast(field.type)
    except pa.ArrowInvalid as error:
        what = str(error).splitlines()[0]
        if pa.types.is_timestamp(array.type):
            what = "a time finer than a microsecond"
        elif pa.types.is_uint64(array.type):
            what = f"a value above {_INT64_MAX}"
        raise _refusal(field.name, f"holds {what}, which the lake cannot keep without loss") from error


def joined(old: pa.Schema, new: pa.Schema, name: str, new_columns: str) -> tuple[pa.Schema, pa.Schema]:
    """The schema for appending rows of schema `new` to a table of schema `old`, and the columns the table lacks.

    Raises:
        LakeError: a column is new and that is refused, or its values do not fit the type the table has for it.
    """
    import pyarrow as pa

    added = pa.schema([f for f in new if f.name not in old.names])
    if added and new_columns == "refuse":
        columns = ", ".join(map(repr, added.names))
        raise LakeError(f"'{name}'", f"has no column {columns}", hint="set collect.on_new_columns=add to add it")
    for field in new:
        if field.name in old.names and not _fits(field.type, old.field(field.name).type):
            has = old.field(field.name).type
            raise LakeError(f"column {field.name!r}", f"is {field.type} and '{name}' keeps it as {has}")
    return pa.schema([*old, *added]), added


def _fits(new: pa.DataType, old: pa.DataType) -> bool:
    """Whether values of one type go into a column of another; text goes where it turns out to be missing throughout."""
    import pyarrow as pa

    whole = pa.types.is_integer(new) and (pa.types.is_integer(old) or pa.types.is_floating(old))
    return new == old or whole or pa.types.is_string(new) or (pa.types.is_floating(new) and pa.types.is_floating(old))


def _refusal(column: str, rule: str) -> LakeError:
    return LakeError(f"column {column!r}", rule, hint="make it a number or text in the source, or leave it out there")
