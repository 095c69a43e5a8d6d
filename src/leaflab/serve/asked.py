"""What a request asks: rows as columns of plain values, by leaflab's own body or by MLflow's protocol."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

__all__ = ["Asked", "Refusal", "decoded", "from_mlflow", "from_rows"]

_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Refusal(Exception):
    """An answer other than the one hoped for: an HTTP status, a sentence, and the fields it is about."""

    def __init__(self, status: int, sentence: str, fields: Sequence[str] = (), row: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.fields, self.row = status, sentence, tuple(fields), row


@dataclass(frozen=True)
class Asked:
    """Rows to score: column name to one value a row; `proba` asks for probabilities in place of labels."""

    values: Mapping[str, Sequence[Any]]
    rows: int
    proba: bool = False


def from_rows(body: bytes, wanted: Sequence[str], limit: int, required: Sequence[str] = ()) -> Asked:
    """`{"rows": [{column: value, …}, …]}`; every row has all required columns.

    Raises:
        Refusal: 400 not JSON; 413 too many rows; 422 not of this shape.
    """
    plain = decoded(body)
    rows = plain.get("rows") if isinstance(plain, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, '`rows` must be a list of one or more rows, as in {"rows": [{"column": 1}]}.', ["rows"])
    asked = _from_records(rows, wanted, limit, "rows")
    for name in required:
        if None in asked.values.get(name, ()):
            at = next((i for i, row in enumerate(rows) if name not in row), None)
            if at is not None:
                raise Refusal(422, f"Missing column: {name!r} in row {at}.", [name], at)
    return asked


def from_mlflow(body: bytes, content_type: str, wanted: Sequence[str], limit: int) -> Asked:
    """MLflow's protocol: JSON with one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, or CSV.

    Raises:
        Refusal: 400 not of this shape; 413 too many rows; 415 another content type.
    """
    kind, _, rest = content_type.partition(";")
    parameters = [p.strip().lower() for p in rest.split(";") if p.strip()]
    if any(p.strip('"') not in ("charset=utf-8", 'charset="utf-8') for p in parameters):
        raise Refusal(415, f"The content type must be UTF-8 without other parameters, got {content_type!r}.")
    if kind.strip().lower() == "text/csv":
        return _from_csv(body, limit)
    if kind.strip().lower() != "application/json":
        raise Refusal(415, f"The content type must be application/json or text/csv, got {content_type!r}.")
    plain = decoded(body)
    given = [key for key in _FORMATS if key in plain] if isinstance(plain, dict) else []
    if len(given) != 1:
        raise Refusal(400, f"The body must be a JSON object with exactly one of {', '.join(_FORMATS)}.", _FORMATS)
    asked = _READERS[given[0]](plain[given[0]], wanted, limit)
    params = plain.get("params")
    if params is not None and not isinstance(params, dict):
        raise Refusal(400, "`params` must be an object.", ["params"])
    proba = (params or {}).get("proba", False)
    if not isinstance(proba, bool):
        raise Refusal(400, "`params.proba` must be true or false.", ["params.proba"])
    return Asked(asked.values, asked.rows, proba)


def decoded(body: bytes) -> Any:
    """The plain values of a JSON body.

    Raises:
        Refusal: 400 not JSON.
    """
    try:
        return from_json(body)
    except ValueError:
        pass  # the slower parser reads more (a byte order mark, UTF-16, halves of characters), and says why it cannot
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, f"The body must be JSON ({reason}).") from error


def _from_records(records: Any, wanted: Sequence[str], limit: int, field: str) -> Asked:
    if not isinstance(records, list) or not records:
        raise Refusal(400, f"`{field}` must be a list of one or more objects.", [field])
    _check_count(len(records), limit)
    if set(map(type, records)) != {dict}:
        at = next(i for i, record in enumerate(records) if type(record) is not dict)
        raise Refusal(422 if field == "rows" else 400, f"`{field}[{at}]` must be an object.", [f"{field}[{at}]"], at)
    if len(records) == 1:
        return Asked({name: [value] for name, value in records[0].items()}, 1)
    columns = {}
    for name in wanted:
        column = [record.get(name) for record in records]
        if any(value is not None for value in column) or any(name in record for record in records):
            columns[name] = column
    return Asked(columns, len(records))


def _records(records: Any, wanted: Sequence[str], limit: int) -> Asked:
    return _from_records(records, wanted, limit, "dataframe_records")


def _split(plain: Any, wanted: Sequence[str], limit: int) -> Asked:
    if not isinstance(plain, dict) or not isinstance(plain.get("data"), list):
        raise Refusal(400, "`dataframe_split` must be an object with `columns` and `data`.", ["dataframe_split"])
    data, columns = plain["data"], plain.get("columns")
    if not data or set(map(type, data)) != {list}:
        raise Refusal(400, "`dataframe_split.data` must be a list of one or more rows.", ["dataframe_split.data"])
    _check_count(len(data), limit)
    columns = list(wanted) if columns is None else columns
    if not isinstance(columns, list) or set(map(type, columns)) - {str}:
        raise Refusal(400, "`dataframe_split.columns` must be a list of names.", ["dataframe_split.columns"])
    return _positional(columns, data, "dataframe_split.data")


def _positional(columns: Sequence[str], data: list[Any], field: str) -> Asked:
    if set(map(len, data)) != {len(columns)}:
        at = next(i for i, row in enumerate(data) if len(row) != len(columns))
        sentence = f"`{field}[{at}]` must have {len(columns)} values, one a column, got {len(data[at])}."
        raise Refusal(400, sentence, [f"{field}[{at}]"], at)
    if len(set(columns)) != len(columns):
        raise Refusal(400, "Column names must differ from one another.", [field])
    return Asked(dict(zip(columns, zip(*data, strict=True), strict=True)), len(data))


def _instances(plain: Any, wanted: Sequence[str], limit: int) -> Asked:
    if not isinstance(plain, list) or not plain:
        raise Refusal(400, "`instances` must be a list of one or more rows.", ["instances"])
    if set(map(type, plain)) == {list}:
        _check_count(len(plain), limit)
        return _positional(wanted, plain, "instances")
    return _from_records(plain, wanted, limit, "instances")


def _inputs(plain: Any, wanted: Sequence[str], limit: int) -> Asked:
    if isinstance(plain, list):
        return _instances(plain, wanted, limit)
    if not isinstance(plain, dict) or not plain:
        raise Refusal(400, "`inputs` must be an object of columns, or a list of rows.", ["inputs"])
    columns = {name: value if isinstance(value, list) else [value] for name, value in plain.items()}
    sizes = {len(value) for value in columns.values()}
    if len(sizes) != 1 or sizes == {0}:
        raise Refusal(400, "`inputs` must have the same number of values, one or more, in every column.", ["inputs"])
    rows = sizes.pop()
    _check_count(rows, limit)
    return Asked(columns, rows)


_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _from_csv(body: bytes, limit: int) -> Asked:
    """Texts as they stand; an empty field is missing."""
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal(400, f"The body must be CSV in UTF-8 ({error}).") from error
    data = [[value or None for value in row] for row in rows[1:] if row]
    if not data:
        raise Refusal(400, "The body must be CSV with a line of column names and one or more rows.")
    _check_count(len(data), limit)
    return _positional(rows[0], data, "csv")


def _check_count(rows: int, limit: int) -> None:
    if rows > limit:
        raise Refusal(413, f"A request must have at most {limit:,} rows, got {rows:,}.")
