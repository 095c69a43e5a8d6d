"""How far a model's loss moves with the seeds it was trained with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.report.importance import twins
from leaflab.scorer.predictor import Boosters, Recalibrated
from leaflab.values import Seeds
from leaflab.workflow.evidence import truth_of

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.values import Dataset

__all__ = ["seeds_of"]

Loss = Callable[[np.ndarray], float]
_SHARES = ("feature_fraction", "feature_fraction_bynode", "bagging_fraction")


def seeds_of(scorer: Scorer, dataset: Dataset, table: pa.Table, loss: Loss, again: int = 0) -> Seeds | None:
    """What other seeds would make of a model's loss; None where it holds one seed and is not trained again.

    The members of a configuration differ by their seeds (on few rows by their folds too, which only adds), and the
    final model is their mean: its variance is that of a single member divided by their number. A model of one booster
    has no such witness, and is trained again.

    Args:
        scorer: the model.
        dataset: what it learnt from.
        table: the rows on which its loss is looked at.
        loss: of scores on those rows.
        again: how many other seeds a single booster is trained with.
    """
    corrected = scorer.predictor.corrected if isinstance(scorer.predictor, Recalibrated) else np.asarray
    base = scorer.predictor.base if isinstance(scorer.predictor, Recalibrated) else scorer.predictor
    if not isinstance(base, Boosters) or not (groups := _configurations(base, scorer.meta.get("made") or ())):
        return Seeds(0.0, 0)
    several = [places for places in groups if len(places) > 1]
    matrix = _encoded(scorer, table)
    if several:
        answers = [[Boosters([base.models[place]]).predict(matrix) for place in places] for places in several]
    elif again > 1:
        train = dataset.parts["train"]
        learnt, plain = (_encoded(scorer, train), truth_of(dataset, train)), replace(scorer, predictor=base)
        seeds = range(1, again + 1)
        answers = [[scores for seed in seeds for scores in twins(plain, learnt, matrix, (1.0,), seed).values()]]
    else:
        return None
    losses = [[loss(corrected(scores)) for scores in group] for group in answers]
    freedom = sum(len(group) - 1 for group in losses)
    single = sum(float(np.var(group)) * len(group) for group in losses) / freedom
    shares = [sum(base.weights[place] for place in places) ** 2 / len(places) for places in groups]
    return Seeds(single * sum(shares), freedom)


def _varies(params: Mapping[str, Any]) -> bool:
    """Whether another seed makes another booster."""
    drawn = params.get("extra_trees") or params.get("data_sample_strategy") == "goss"
    return bool(drawn) or any(params.get(share, 1.0) < 1.0 for share in _SHARES)


def _configurations(base: Boosters, made: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Places of the boosters that share a configuration, of those that chance has a part in."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place, booster in enumerate(base.boosters):
        if _varies(booster.params):
            groups[made[place]["trial"] if len(made) == len(base.models) else place].append(place)
    return list(groups.values())


def _encoded(scorer: Scorer, table: pa.Table) -> np.ndarray:
    return scorer.encoder.encode(table.select([c.name for c in scorer.columns]).to_pandas())
