"""The evidence on a challenger: it, the champion and the baselines on rows none of them has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaflab.report.importance import twins
from leaflab.report.slices import find_slices
from leaflab.values import Evidence
from leaflab.workflow.evidence import Subject, clean_rows, judged, subject_of_version, truth_of, weight_of
from leaflab.workflow.odometer import looks
from leaflab.workflow.parity import parity_report
from leaflab.workflow.reseeding import seeds_of
from leaflab.workflow.rivals import baselines

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from leaflab.values import Seeds, Version
    from leaflab.workflow.lab import Lab

__all__ = ["gather"]


def gather(lab: Lab, subject: Subject, holder: Version | None) -> Evidence:
    """The evidence on a challenger: it, the champion and the baselines on rows none of them has seen.

    Args:
        lab: the rooms.
        subject: the challenger; its dataset has test rows.
        holder: the version that holds the alias, or None.

    Raises:
        DataError: the champion predicts something else.
        ModelError: the champion reads columns that the challenger's rows lack.
    """
    dataset = subject.dataset
    before = subject_of_version(lab, holder) if holder else None
    table = clean_rows(dataset, before.dataset if before else None)
    note = ""
    if before and not table.num_rows:
        note, table = f"no test row is unknown to {before.label}", dataset.parts["test"]
    champion = None
    if before and not note:
        champion = judged(before.label, before.scorer, dataset, table, _facts(before))
    return Evidence(
        dataset=dataset,
        table=table,
        truth=truth_of(dataset, table),
        weight=weight_of(dataset, table),
        challenger=judged(subject.label, subject.scorer, dataset, table, _facts(subject)),
        champion=champion,
        baselines=baselines(lab, subject, table),
        metric=lab.metric.resolve(dataset.task),
        champion_note=note,
        looks=looks(lab, subject),
        extra=_extra(lab, subject, before, table),
    )


def _facts(subject: Subject) -> dict[str, Any]:
    run = {f"run/{k}": v for k, v in {**subject.run.metrics, **subject.run.tags}.items()}
    return {
        **run,
        "run_id": subject.run.id,
        "digest": subject.digest,
        "version": subject.version.number if subject.version else None,
    }


def _extra(lab: Lab, subject: Subject, before: Subject | None, table: pa.Table) -> dict[str, Any]:
    """What single gates ask for; what takes time is made only where its gate was chosen."""
    found: dict[str, Any] = {"leaks": subject.dataset.facts.get("leaks")}
    if subject.version:
        found["files"] = lab.tracking.registry.digest(subject.version)
    if subject.version and "parity" in lab.gate:
        ways = lab.tracking.registry.ways(subject.version)
        found["parity"] = parity_report(subject.scorer, ways, subject.dataset.parts["test"])
    if "no_slice_worse" in lab.gate:
        found["slices"] = {s.name: s.mask for s in find_slices(table.to_pandas(), subject.dataset.columns)}
    if "stable" in lab.gate:
        found["seed_losses"] = _seed_losses(lab, subject)
    if before and "beats_champion" in lab.gate:
        found["seeds"] = _seeds(lab, subject, before, table)
    if before:
        found["champion"] = {"columns": before.scorer.columns, "classes": before.scorer.classes}
    return found


def _seeds(lab: Lab, subject: Subject, before: Subject, table: pa.Table) -> list[Seeds]:
    """What other seeds would make of the losses of challenger and champion, as far as it is known."""
    dataset = subject.dataset
    metric, truth, weight = lab.metric.resolve(dataset.task), truth_of(dataset, table), weight_of(dataset, table)

    def loss(scores: np.ndarray) -> float:
        return metric.loss(metric.score(truth, scores, weight))

    again = getattr(lab.gate["beats_champion"], "seeds", 0)
    found = [seeds_of(s.scorer, dataset, table, loss, n) for s, n in ((subject, again), (before, 0))]
    return [seeds for seeds in found if seeds is not None]


def _seed_losses(lab: Lab, subject: Subject) -> list[float]:
    """Losses on the validation rows of the same booster with other seeds, each on nine tenths of the training rows."""
    dataset, scorer = subject.dataset, subject.scorer
    train, valid = dataset.parts["train"], dataset.parts["valid"]
    known = (scorer.encoder.encode(train.to_pandas()), truth_of(dataset, train))
    matrix, truth, metric = scorer.encoder.encode(valid.to_pandas()), truth_of(dataset, valid), lab.metric
    metric = metric.resolve(dataset.task)
    answers = [scores for seed in (1, 2, 3) for scores in twins(scorer, known, matrix, (0.9,), seed=seed).values()]
    return [metric.loss(metric.score(truth, scores)) for scores in answers]
