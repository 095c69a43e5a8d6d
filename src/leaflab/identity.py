"""Identity: what makes two tables, rows, datasets or sweeps the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

__all__ = ["Digest", "Digester", "column_hashes", "digest", "fold", "hex_ids", "mixed", "row_hashes", "row_ids"]

_LENGTH = 32
_CHUNK = 1 << 16


def fold(facts: Mapping[str, Any]) -> str:
    """One identity (32 hex characters) from plain facts; key order does not matter.

    >>> fold({"a": 1, "b": 2}) == fold({"b": 2, "a": 1})
    True
    """
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


@dataclass(frozen=True)
class Digest:
    """What a table holds, as SHA-256 cut to 32 hex characters.

    Args:
        table: digest of names, types, values, nulls and order of rows and columns.
        columns: the same of each column alone, so that a difference has a name.
        rows: rows seen.
    """

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0

    def __str__(self) -> str:
        return self.table


class Digester:
    """A digest drawn from a stream of record batches; how the rows were cut into batches does not matter.

    Integers of any width are one type, floats another, and so are texts, with or without a dictionary; times count
    in microseconds, in UTC where they have a zone. A missing value differs from every value.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._names = list(schema.names)
        self._columns = [_Column(kind) for kind in schema.types]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows."""
        for column, array in zip(self._columns, batch.columns, strict=True):
            column.update(array)
        self._rows += batch.num_rows

    def widened(self, schema: pa.Schema) -> Digester:
        """A copy that goes on by itself, under a schema that may have more columns at its end, null so far."""
        wide = Digester(schema)
        wide._columns[: len(self._columns)] = [column.copy() for column in self._columns]
        wide._rows = self._rows
        for column in wide._columns[len(self._columns) :]:
            column.skip(self._rows)
        return wide

    def result(self) -> Digest:
        """The digest of all rows so far."""
        ends = [column.end(self._rows) for column in self._columns]
        whole = hashlib.sha256(json.dumps([self._rows, *zip(self._names, ends, strict=True)]).encode())
        columns = {name: end[:_LENGTH] for name, end in zip(self._names, ends, strict=True)}
        return Digest(whole.hexdigest()[:_LENGTH], columns, self._rows)


def digest(table: pa.Table) -> Digest:
    """The digest of a whole table.

    >>> import pyarrow as pa
    >>> wide, narrow = pa.table({"a": pa.array([1, None])}), pa.table({"a": pa.array([1, None], "int8")})
    >>> digest(wide).table == digest(narrow).table
    True
    """
    digester = Digester(table.schema)
    for batch in table.to_batches(max_chunksize=_CHUNK):
        digester.update(batch)
    return digester.result()


class _Column:
    """Three hashes a column: where its nulls stand, its fixed-width values (or lengths), and its bytes."""

    def __init__(self, kind: pa.DataType) -> None:
        self.kind, self.word = _canonical(kind)
        self.nulls, self.values, self.bytes = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self.children = [_Column(child) for child in _child_types(self.kind)]
        self.rows = 0

    def copy(self) -> _Column:
        made = copy(self)
        made.nulls, made.values, made.bytes = self.nulls.copy(), self.values.copy(), self.bytes.copy()
        made.children = [child.copy() for child in self.children]
        return made

    def skip(self, rows: int) -> None:
        """Takes rows without a value."""
        import pyarrow as pa

        for start in range(0, rows, _CHUNK):
            self.update(pa.nulls(min(_CHUNK, rows - start), self.kind))

    def update(self, array: Any) -> None:
        import numpy as np
        import pyarrow as pa

        if array.type != self.kind:
            array = array.cast(self.kind, safe=False)
        if array.null_count:
            places = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).astype("<i8") + self.rows
            self.nulls.update(places.tobytes())
        self.rows += len(array)
        if pa.types.is_null(self.kind):
            return
        if pa.types.is_struct(self.kind):
            for child, values in zip(self.children, array.flatten(), strict=True):
                child.update(values)
        elif pa.types.is_large_list(self.kind):
            lengths = array.value_lengths().fill_null(0).to_numpy().astype("<i8")
            self.values.update(lengths.tobytes())
            self.children[0].update(array.flatten())
        elif pa.types.is_large_string(self.kind) or pa.types.is_large_binary(self.kind):
            self._texts(array)
        else:
            self.values.update(_fixed(array))

    def _texts(self, array: Any) -> None:
        import numpy as np

        if array.null_count:
            array = array.fill_null("" if self.word == "text" else b"")
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, dtype="<i8")[array.offset : array.offset + len(array) + 1]
        self.values.update(np.diff(ends).astype("<u4").tobytes())
        if data is not None and len(ends):
            self.bytes.update(memoryview(data)[int(ends[0]) : int(ends[-1])])

    def end(self, rows: int) -> str:
        parts = [self.word, str(rows), self.nulls.hexdigest(), self.values.hexdigest(), self.bytes.hexdigest()]
        parts += [child.end(child.rows) for child in self.children]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _fixed(array: Any) -> Any:
    """The values of a fixed-width array as contiguous bytes, missing ones as zeros."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    width, data = array.type.bit_width // 8, array.buffers()[1]
    if data is None:
        return b""
    cells = np.frombuffer(data, dtype="u1")[array.offset * width : (array.offset + len(array)) * width]
    if array.null_count:
        cells = cells.reshape(-1, width).copy()
        cells[array.is_null().to_numpy(zero_copy_only=False)] = 0
    return cells


def _canonical(kind: pa.DataType) -> tuple[pa.DataType, str]:
    """The Arrow type a column is hashed as, and the word for it."""
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(kind):
        return _canonical(kind.value_type)
    if is_.is_uint64(kind) or is_.is_integer(kind):
        return (pa.uint64() if is_.is_uint64(kind) else pa.int64()), "int"
    if is_.is_floating(kind):
        return pa.float64(), "float"
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind) or is_.is_null(kind):
        return pa.large_string(), "text"
    if is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_binary_view(kind) or is_.is_fixed_size_binary(kind):
        return pa.large_binary(), "bytes"
    if is_.is_timestamp(kind):
        return pa.timestamp("us", kind.tz and "UTC"), "instant" if kind.tz else "time"
    if is_.is_date(kind):
        return pa.date32(), "date"
    if is_.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale), f"decimal({kind.precision},{kind.scale})"
    return _canonical_nested(kind)


def _canonical_nested(kind: pa.DataType) -> tuple[pa.DataType, str]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        made = pa.struct([pa.field(f.name, _canonical(f.type)[0]) for f in fields])
        return made, "struct:" + json.dumps([f.name for f in fields])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.large_list(_canonical(kind.value_type)[0]), "list"
    return kind, str(kind)


def _child_types(kind: pa.DataType) -> list[pa.DataType]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return [kind.field(i).type for i in range(kind.num_fields)]
    return [kind.value_type] if pa.types.is_large_list(kind) else []


def row_ids(frame: pd.DataFrame) -> np.ndarray:
    """An id for each row from its content: 16 hex characters, shape (rows,).

    The same values give the same id on every machine, whatever the batch, the order of the columns, or whether whole
    numbers are kept as integers or floats; a missing value counts as one value of its own.

    >>> import pandas as pd
    >>> a, b = pd.DataFrame({"n": [1, 2], "s": ["x", None]}), pd.DataFrame({"s": ["x", None], "n": [1.0, 2.0]})
    >>> (row_ids(a) == row_ids(b)).all()
    np.True_
    """
    return hex_ids(row_hashes(frame))


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """The same ids as 64-bit numbers, shape (rows,)."""
    import numpy as np

    total = np.zeros(len(frame), dtype="uint64")
    for name in frame.columns:
        total += column_hashes(str(name), frame[name])
    return mixed(total)


def column_hashes(name: str, values: pd.Series[Any]) -> np.ndarray:
    """What a column adds to `row_hashes` before their sum is mixed, shape (rows,)."""
    import numpy as np

    salt = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], dtype="<u8")[0]
    return mixed(_hashed(values) ^ salt)


def hex_ids(hashes: np.ndarray) -> np.ndarray:
    """64-bit numbers as the ids people see: 16 hex characters, shape (rows,)."""
    import numpy as np

    return np.frombuffer(hashes.astype(">u8").tobytes().hex().encode(), dtype="S16").astype("U16")


_MISSING = 0x9E3779B97F4A7C15


def _hashed(values: pd.Series[Any]) -> np.ndarray:
    """One column as 64-bit hashes: numbers and truth values by their float64, times by their microseconds, texts."""
    import numpy as np
    import pandas as pd

    gone = values.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        if getattr(values.dtype, "tz", None) is not None:
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        words = mixed(values.astype("datetime64[us]").to_numpy().view("uint64"))
    elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype="float64", na_value=np.nan)
        words = mixed((numbers + 0.0).view("uint64"))
    else:
        codes, unique = pd.factorize(values.astype("str"))
        texts = [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "little") for t in unique]
        words = np.append(np.asarray(texts, dtype="uint64"), np.uint64(_MISSING))[codes]
    return np.where(gone, np.uint64(_MISSING), words)


def mixed(words: np.ndarray) -> np.ndarray:
    """Spreads every bit over all 64 (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    import numpy as np

    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
