"""What a model knows: its own dataset, seen as the reference of every later look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from leaflab.drift.profile import Profile, batches_of, kinds_of, reference_profile
from leaflab.watch.imagine import learn
from leaflab.watch.impact import importances
from leaflab.watch.look import Known, label_table
from leaflab.watch.performance import realised
from leaflab.watch.scored import Scored, answers, score
from leaflab.watch.window import KEPT

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.drift.base import Kind
    from leaflab.metric.base import Metric
    from leaflab.scorer import Scorer
    from leaflab.values import Dataset

__all__ = ["codes_of", "columns_of", "reference"]

_IMPACT_ROWS = 4_000
_RELEVANT = 0.05


def reference(
    scorer: Scorer,
    dataset: Dataset,
    metrics: Sequence[Metric],
    *,
    which: Literal["trained", "held_out"] = "trained",
    sample: int = 20_000,
    seed: int = 0,
) -> Known:
    """The reference side of a model.

    Drift is measured against the rows the model learnt from (train and validation), or those held out; answers,
    estimates and labels always against rows held out (test), because a model flatters itself on rows it has seen.

    Args:
        scorer: the model.
        dataset: what it learnt from.
        metrics: all that are shown, the deciding one first.
        which: the rows that drift is measured against.
        sample: rows for tests of all columns together.
        seed: of the samples.
    """
    import pyarrow as pa

    held_table = dataset.parts["test"]
    table = pa.concat_tables([dataset.parts["train"], dataset.parts["valid"]], promote_options="default")
    if which == "held_out" or not table.num_rows:
        table = held_table
    held = _scored(scorer, dataset, _few(held_table, KEPT, seed))
    some = _scored(scorer, dataset, _few(table, _IMPACT_ROWS, seed))
    known = reference_profile(batches_of(table), columns_of(scorer, dataset, table), sample=sample, seed=seed)
    if len(held):
        known = known.scored(answers(scorer, held.scores))
    times = _times(dataset, table)
    moving = importances(scorer, some) if len(some) else {}
    return Known(
        scorer=scorer,
        metric=metrics[0],
        metrics=metrics,
        profile=known,
        sample=some,
        held=held,
        errors=learn(held, len(scorer.classes), seed),
        realised=realised(metrics, held, seed),
        labels=_labels(scorer, held),
        relevant=frozenset(name for name, moved in moving.items() if moved >= _RELEVANT and name != dataset.roles.time),
        table=None if times is None else table,
        times=times,
        facts={key: float(dataset.facts.get(key, 0) or 0) for key in ("rows_in", "duplicates")},
    )


def columns_of(scorer: Scorer, dataset: Dataset, table: pa.Table) -> dict[str, Kind]:
    """The model's columns and their kinds; the time column, which always moves on, counts only as a time."""
    names = [column.name for column in scorer.columns if column.name in table.column_names]
    kinds = kinds_of(table.select(names).schema)
    if dataset.roles.time and kinds.get(dataset.roles.time) == "number":
        kinds.pop(dataset.roles.time)
    return kinds


def codes_of(dataset: Dataset, table: pa.Table) -> np.ndarray:
    """Class codes or values of a typed table's target as float64, NaN where there is none."""
    column = table.column(dataset.target)
    if not dataset.classes:
        return np.asarray(column.to_pandas().to_numpy("float64", na_value=np.nan))
    codes = {label: float(code) for code, label in enumerate(dataset.classes)}
    return np.array([codes.get(label, np.nan) for label in column.to_pylist()], dtype="float64")


def _scored(scorer: Scorer, dataset: Dataset, table: pa.Table) -> Scored:
    frame = table.select([column.name for column in scorer.columns]).to_pandas()
    return score(scorer, frame, codes_of(dataset, table))


def _times(dataset: Dataset, table: pa.Table) -> np.ndarray | None:
    import pyarrow as pa

    name = dataset.roles.time
    if not name or name not in table.column_names or not pa.types.is_temporal(table.schema.field(name).type):
        return None
    stamps = table.column(name).to_pandas().astype("datetime64[us]")
    return np.where(stamps.isna(), np.nan, stamps.astype("int64").to_numpy() / 1e6)


def _few(table: pa.Table, most: int, seed: int) -> pa.Table:
    if table.num_rows <= most:
        return table
    chosen = np.random.default_rng(seed).choice(table.num_rows, most, replace=False)
    return table.take(np.sort(chosen))


def _labels(scorer: Scorer, held: Scored) -> Profile | None:
    if not len(held):
        return None
    table = label_table(scorer.classes, held.labelled.truth)
    return reference_profile(batches_of(table), kinds_of(table.schema))
