"""The closed loop: from an alarm to a new sweep on the rows that have come, judged by the same gates."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from leaflab.errors import CheckFailed
from leaflab.source.frame import Frame
from leaflab.values import Metric, Tag
from leaflab.watch.frontier import Training
from leaflab.workflow.current import Typing, current_rows
from leaflab.workflow.promote import promote
from leaflab.workflow.sweep import sweep

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from leaflab.source.base import Reading
    from leaflab.values import Roles
    from leaflab.watch.policy import Decision
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["close_the_loop", "training_rows", "trainings"]

_log = logging.getLogger(__name__)
_WEIGHT = "leaflab_weight"
_RETRAINED = "-retrained"


def close_the_loop(lab: Lab, subject: Subject, decision: Decision) -> str:
    """Retrains on `monitor.retrain_on`, and promotes through the gates; says what came of it.

    The sweep has the settings of this command (`search.*`, `split=…`), starts from the best parameters of the
    champion's sweep, and has the roles of its dataset; its rows are kept as `raw/<dataset>-retrained`, so that what
    was collected stays as it was.
    """
    _log.info("Retraining: %s.", decision.why.rstrip("."))
    rows, roles = training_rows(lab, subject)
    if rows is None:
        return "there are no labelled current rows to learn from"
    name = subject.dataset.name.removesuffix(_RETRAINED) + _RETRAINED
    kept = replace(lab.collect, mode="overwrite", on_new_columns="add")
    own = replace(lab, source=Frame(rows, name=name), dataset=roles.resolved(name=name), collect=kept)
    trials = {"mlflow.parentRunId": subject.run.id, "leaflab.verb": "trial"}
    if getattr(lab.search, "warm_start", "") is None and lab.tracking.search(lab.name, trials, limit=1):
        own = replace(own, search=replace(cast("Any", lab.search), warm_start=subject.run.id))
    swept = sweep(own)
    facts = [Tag("leaflab.retrain", decision.why), Tag("leaflab.retrain_of", subject.label)]
    lab.tracking.annotate(swept.run_id, [*facts, Metric("retrain/expected_gain", decision.expected_gain)])
    try:
        return promote(own).headline.rstrip(".")
    except CheckFailed as refusal:
        return str(refusal).rstrip(".")


def training_rows(lab: Lab, subject: Subject) -> tuple[pd.DataFrame | None, Any]:
    """The champion's raw rows and the labelled current ones, as `monitor.retrain_on` says, and their roles."""
    import pandas as pd

    target = subject.dataset.target
    current = _labelled(lab, subject)
    if current is None:
        return None, subject.dataset.roles
    raw = subject.dataset.raw
    before = lab.lake.read(raw["table"], raw["version"]).to_pandas()
    before = before[[name for name in before.columns if name in current.columns or name == target]]
    roles = _present(subject.dataset.roles, set(before.columns))
    whole = pd.concat([before, current[before.columns]], ignore_index=True).drop_duplicates(ignore_index=True)
    how, time = lab.monitor.retrain_on, roles.time
    if how == "since_drift":
        return current[before.columns].reset_index(drop=True), roles
    if how == "all" or not time:
        return whole, roles
    stamps = pd.to_datetime(whole[time], errors="coerce", utc=True)
    age = (stamps.max() - stamps).dt.total_seconds()
    span = lab.monitor.recent.total_seconds() or 1.0
    if how == "recent":
        return whole[age <= span].reset_index(drop=True), roles
    weighted = whole.assign(**{_WEIGHT: 0.5 ** (age.fillna(age.max()) / span)})
    return weighted, replace(roles, weight=_WEIGHT)


def _present(roles: Roles, known: set[str]) -> Roles:
    """The roles of the columns that are there; an inference log holds what the model reads, and no more."""
    weight, time, group = (name if name in known else None for name in (roles.weight, roles.time, roles.group))
    ids = roles.ids if set(roles.ids) <= known else []
    return replace(roles, weight=weight, time=time, group=group, id=ids or None)


def _labelled(lab: Lab, subject: Subject) -> pd.DataFrame | None:
    """The raw current rows whose truth is known, under the names that the model's own table has."""
    import pandas as pd

    target, classes, typing = subject.dataset.target, subject.dataset.classes, Typing(lab, subject)

    def drawn(reading: Reading) -> list[pd.DataFrame]:
        typing.begin(reading.schema)
        return [_known(typing, batch) for batch in reading.batches]

    def _known(typing: Typing, batch: pa.RecordBatch) -> pd.DataFrame:
        frame, truth = typing.raw(batch), typing.rows(batch).truth
        if target not in frame.columns:
            names = np.array([*classes, None], dtype=object)
            frame[target] = names[np.nan_to_num(truth, nan=len(classes)).astype("int64")] if classes else truth
        return frame[~np.isnan(truth)]

    found = pd.concat(current_rows(lab).open().into(drawn)[0], ignore_index=True)
    return found if len(found) else None


def trainings(lab: Lab, metric: str) -> list[Training]:
    """Every sweep of a model so far: what it took, and the metric it reached on rows it did not learn from."""
    found = []
    for run in lab.tracking.search(lab.name, {"leaflab.verb": "sweep"}):
        values = [run.metrics.get(f"{part}/{metric}") for part in ("test", "oof", "valid")]
        seconds = run.metrics.get("time/total_seconds", (run.ended or run.started) - run.started)
        cores = int(run.tags.get("leaflab.cores", 1))
        value = next((v for v in values if v is not None), None)
        found.append(Training(run.name, run.started, seconds, seconds * cores / 3600, value))
    return found
