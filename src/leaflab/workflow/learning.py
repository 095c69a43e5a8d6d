"""From a dataset to the problem a model learns, and from a predictor to the scorer that ships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leaflab.metric.all import score_all
from leaflab.model.base import Problem
from leaflab.model.encoding import fit_encoder, training_matrix
from leaflab.model.pairing import telling_features
from leaflab.scorer import Encoder, Scorer
from leaflab.workflow.evidence import truth_of, weight_of

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.metric.base import Metric
    from leaflab.scorer.predictor import Predictor
    from leaflab.values import Dataset

__all__ = ["problem_of", "rows_of", "scorer_of"]


def problem_of(dataset: Dataset, metric: Metric, pairs: int = 0) -> tuple[Problem, Encoder]:
    """The encoded training and validation rows, and the encoder, fitted on the training rows alone.

    Rows keep the order of the dataset's parts; where there is a time column they are sorted by it. Where `pairs` is not
    0, numbers that are surely names are categories too, and the last features are up to so many made of pairs of
    columns, and numbers that may be names.
    """
    import numpy as np
    import pandas as pd

    parts = _parts(dataset)
    train, valid = (part.to_pandas() for part in parts)
    plain = fit_encoder(dataset, train)
    names, more = telling_features(dataset, plain, train, pairs)
    encoder = Encoder(plain.features + names + more)
    rows = rows_of(dataset)
    matrix = np.vstack([training_matrix(dataset, encoder, train), encoder.encode(valid)])
    group, weight = dataset.roles.group, weight_of(dataset, rows)
    monotone = dataset.monotone
    problem = Problem(
        task=dataset.task,
        outputs=dataset.outputs,
        metric=metric.resolve(dataset.task),
        names=tuple(encoder.names),
        categorical=tuple(encoder.categorical),
        monotone=tuple(monotone.get(f.column, 0) if f.op in ("number", "scaled") else 0 for f in encoder.features),
        matrix=matrix,
        target=truth_of(dataset, rows),
        weight=None if weight is None else weight / (weight.mean() or 1.0),  # their unit is no matter of the model
        group=pd.factorize(rows[group].to_pandas())[0] if group else None,
        boundary=parts[0].num_rows,
        temporal=dataset.roles.time is not None,
        score=score_all,
        paired=len(more),
    )
    return problem, encoder


def rows_of(dataset: Dataset) -> pa.Table:
    """The typed rows of a problem, in its order."""
    import pyarrow as pa

    return pa.concat_tables(_parts(dataset))


def _parts(dataset: Dataset) -> list[pa.Table]:
    return [_ordered(dataset, dataset.parts[name]) for name in ("train", "valid")]


def _ordered(dataset: Dataset, part: pa.Table) -> pa.Table:
    time = dataset.roles.time
    return part.sort_by(time) if time and time in part.column_names else part


def scorer_of(dataset: Dataset, encoder: Encoder, predictor: Predictor, meta: Mapping[str, Any]) -> Scorer:
    """A predictor as a whole model: raw table in, answers out, with the features that it reads."""
    facts = {"dataset": dataset.id, "target": dataset.target, **meta}
    return Scorer(dataset.task, dataset.classes, dataset.columns, encoder.first(predictor.width), predictor, facts)
