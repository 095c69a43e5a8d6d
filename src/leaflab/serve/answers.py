"""What a model answers to a batch of raw rows, as a table: row ids, labels or values, probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.scorer import Scorer

__all__ = ["answer_schema", "answered", "id_columns", "joined_ids", "named"]


def answer_schema(scorer: Scorer) -> pa.Schema:
    """`row_id`, `prediction` in the type of the labels, and `proba_<class>` for every class."""
    import pyarrow as pa

    kinds = {type(label) for label in scorer.classes}
    known = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    label = known.get(next(iter(kinds)), pa.string()) if len(kinds) == 1 else pa.string() if kinds else pa.float64()
    probabilities = [pa.field(f"proba_{name}", pa.float64()) for name in scorer.classes]
    return pa.schema([pa.field("row_id", pa.string()), pa.field("prediction", label), *probabilities])


def answered(scorer: Scorer, batch: pa.RecordBatch) -> pa.RecordBatch:
    """One row an input row, in input order.

    Raises:
        BadTable: a column is missing, or a value cannot be read under its column's rule.
    """
    import pyarrow as pa

    from leaflab.scorer import typed

    wanted = [c.name for c in scorer.columns if c.name in batch.schema.names]
    frame = typed(batch.select(wanted).to_pandas(), scorer.columns)
    scores = scorer.predictor.predict(scorer.encoder.encode(frame))
    schema = answer_schema(scorer)
    predictions = _labels(scorer, scores, schema.field("prediction").type) if scorer.classes else pa.array(scores)
    shares = [pa.array(scores[:, k]) for k in range(len(scorer.classes))]
    return pa.RecordBatch.from_arrays([named(scorer, batch, frame), predictions, *shares], schema=schema)


def _labels(scorer: Scorer, scores: np.ndarray, kind: pa.DataType) -> pa.Array[Any]:
    import pyarrow as pa

    classes = [str(label) for label in scorer.classes] if pa.types.is_string(kind) else list(scorer.classes)
    return pa.array(classes, kind).take(pa.array(scores.argmax(axis=1)))


def id_columns(scorer: Scorer, names: list[str]) -> list[str]:
    """The columns that name a row, where the model's dataset had such and a table has them all; else none."""
    wanted = list(scorer.meta.get("id") or ())
    return wanted if set(wanted) <= set(names) else []


def named(scorer: Scorer, batch: pa.RecordBatch, frame: pd.DataFrame) -> pa.Array[Any]:
    """The id of each row: its id columns, else its content as typed."""
    import pyarrow as pa

    from leaflab.identity import row_hashes

    columns = id_columns(scorer, batch.schema.names)
    if columns:
        return pa.array(joined_ids(batch, columns), pa.string())
    text = row_hashes(frame).astype(">u8").tobytes().hex().encode()  # as identity.hex_ids writes them, without objects
    ends = np.arange(0, len(text) + 1, 16, dtype="int32")
    return pa.StringArray.from_buffers(len(frame), pa.py_buffer(ends), pa.py_buffer(text))


def joined_ids(rows: pa.RecordBatch | pa.Table, columns: list[str]) -> list[str]:
    """The id columns of each row as one text, as datasets have it."""
    import pyarrow as pa

    texts = [rows.column(name).cast(pa.string()).to_pylist() for name in columns]
    return ["|".join(str(value) for value in row) for row in zip(*texts, strict=True)]
