"""The baselines a challenger must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.workflow.evidence import judged, truth_of, weight_of

if TYPE_CHECKING:
    import pyarrow as pa

    from leaflab.scorer import Scorer
    from leaflab.values import Judged
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["baselines"]


def baselines(lab: Lab, subject: Subject, table: pa.Table) -> dict[str, Judged]:
    """The baselines logged beside the sweep's trials; the constant model is made here where none was."""
    sweep = subject.run.tags.get("leaflab.sweep")
    made_by = {"leaflab.sweep": sweep} if sweep else {"mlflow.parentRunId": subject.run.id}
    tags = {"leaflab.verb": "baseline", **made_by}
    scorers = {r.name.split()[-1]: lab.tracking.scorer(r.id) for r in lab.tracking.search(subject.run.experiment, tags)}
    scorers = {"dummy": _constant(subject), **{name: s for name, s in scorers.items() if s is not None}}
    return {name: judged(name, s, subject.dataset, table) for name, s in scorers.items() if s is not None}


def _constant(subject: Subject) -> Scorer:
    import numpy as np

    from leaflab.scorer import Encoder, Scorer
    from leaflab.scorer.predictor import Constant

    dataset, train = subject.dataset, subject.dataset.parts["train"]
    truth, weight = truth_of(dataset, train), weight_of(dataset, train)
    if dataset.classes:
        shares = np.bincount(truth, weights=weight, minlength=len(dataset.classes)) + 1e-6
        answer = tuple(float(s) for s in shares / shares.sum())
    else:
        answer = (float(np.average(truth, weights=weight)),)
    return Scorer(dataset.task, dataset.classes, (), Encoder(()), Constant(answer))
