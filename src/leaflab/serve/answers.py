"""What a model answers to a batch of raw rows, as a table: row ids, labels or values, probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
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
    labels = scorer.labels(scores)
    kept = labels if not scorer.classes else _labels(labels, schema.field("prediction").type)
    columns = [named(scorer, batch, frame), pa.array(kept, schema.field("prediction").type)]
    columns += [pa.array(scores[:, k]) for k in range(len(scorer.classes))]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _labels(labels: np.ndarray, kind: pa.DataType) -> list[Any]:
    import pyarrow as pa

    plain = labels.tolist()
    return [str(label) for label in plain] if pa.types.is_string(kind) else plain


def id_columns(scorer: Scorer, names: list[str]) -> list[str]:
    """The columns that name a row, where the model's dataset had such and a table has them all; else none."""
    wanted = list(scorer.meta.get("id") or ())
    return wanted if set(wanted) <= set(names) else []


def named(scorer: Scorer, batch: pa.RecordBatch, frame: pd.DataFrame) -> pa.Array[Any]:
    """The id of each row: its id columns, else its content as typed."""
    import pyarrow as pa

    from leaflab.identity import row_ids

    columns = id_columns(scorer, batch.schema.names)
    if not columns:
        return pa.array(row_ids(frame).tolist(), pa.string())
    return pa.array(joined_ids(batch, columns), pa.string())


def joined_ids(rows: pa.RecordBatch | pa.Table, columns: list[str]) -> list[str]:
    """The id columns of each row as one text, as datasets have it."""
    import pyarrow as pa

    texts = [rows.column(name).cast(pa.string()).to_pylist() for name in columns]
    return ["|".join(str(value) for value in row) for row in zip(*texts, strict=True)]
