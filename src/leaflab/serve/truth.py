"""What really happened: labels that arrive after the predictions, by row id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from leaflab.serve.asked import Refusal, decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from leaflab.lake.base import Lake

__all__ = ["joined", "labels_from", "latest", "record_truth"]


def labels_from(body: bytes, limit: int) -> tuple[list[str], list[Any]]:
    """Row ids and labels of `{"rows": [{"row_id": …, "truth": …}, …]}`.

    Raises:
        Refusal: 400 not JSON; 413 too many rows; 422 not of this shape.
    """
    plain = decoded(body)
    rows = plain.get("rows") if isinstance(plain, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, '`rows` must be a list, as in {"rows": [{"row_id": "…", "truth": 1}]}.', ["rows"])
    if len(rows) > limit:
        raise Refusal(413, f"A request must have at most {limit:,} rows, got {len(rows):,}.", ["rows"])
    for at, row in enumerate(rows):
        row_id = row.get("row_id") if isinstance(row, dict) else None
        if not isinstance(row_id, str) or not row_id:
            raise Refusal(422, f"`rows[{at}].row_id` must be a text.", [f"rows[{at}].row_id"], at)
        if not isinstance(row.get("truth"), str | bool | int | float):
            raise Refusal(422, f"`rows[{at}].truth` must be a label or a number.", [f"rows[{at}].truth"], at)
        try:
            f"{row_id}{row['truth']}".encode()
        except UnicodeEncodeError as error:
            raise Refusal(422, f"`rows[{at}]` must hold Unicode text.", [f"rows[{at}]"], at) from error
    return [row["row_id"] for row in rows], [row["truth"] for row in rows]


def record_truth(lake: Lake, name: str, row_ids: Sequence[str], labels: Sequence[Any]) -> int:
    """Adds labels to the lake table `truth/NAME` and returns how many; a label is kept as text."""
    import pyarrow as pa

    now = pa.scalar(int(time.time() * 1e6), pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "row_id": pa.array(row_ids, pa.string()),
            "truth": pa.array([_text(label) for label in labels], pa.string()),
            "time": pa.repeat(now, len(row_ids)),
        }
    )
    lake.write(f"truth/{name}", table, mode="append")
    return table.num_rows


def _text(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def latest(truth: pa.Table) -> pa.Table:
    """The label of each row id that came last: `row_id, truth, time`."""
    import pandas as pd
    import pyarrow as pa

    frame: pd.DataFrame = truth.select(["row_id", "truth", "time"]).to_pandas()
    last = frame.sort_values("time", kind="stable").drop_duplicates("row_id", keep="last")
    return pa.Table.from_pandas(last, schema=truth.select(["row_id", "truth", "time"]).schema, preserve_index=False)


def joined(lake: Lake, name: str, table: str = "inference") -> pa.Table:
    """The predictions of `inference/NAME` (or `prediction/NAME`) whose truth is known.

    Args:
        lake: the lake.
        name: the registered model.
        table: "inference" or "prediction".

    Returns:
        The table's rows with two more columns: `truth`, the label that came last, and `truth_time`.
    """
    import pyarrow as pa

    predictions = lake.read(f"{table}/{name}")
    if not lake.versions(f"truth/{name}"):
        empty = [("truth", pa.string()), ("truth_time", pa.timestamp("us", "UTC"))]
        for column, kind in empty:
            predictions = predictions.append_column(column, pa.nulls(predictions.num_rows, kind))
        return predictions.slice(0, 0)
    truth = latest(lake.read(f"truth/{name}")).rename_columns(["row_id", "truth", "truth_time"])
    return predictions.join(truth, "row_id", join_type="inner")
