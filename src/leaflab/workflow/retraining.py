"""The closed loop: from an alarm to a new sweep on the rows that have come, judged by the same gates."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from leaflab.errors import CheckFailed
from leaflab.source.frame import Frame
from leaflab.values import Metric, Tag
from leaflab.watch.frontier import Training
from leaflab.watch.policy import seconds_of
from leaflab.workflow.current import current_table
from leaflab.workflow.promote import promote
from leaflab.workflow.sweep import sweep

if TYPE_CHECKING:
    import pandas as pd

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

    roles, target = subject.dataset.roles, subject.dataset.target
    current = _labelled(lab, current_table(lab).to_pandas(), target)
    if current is None:
        return None, roles
    raw = subject.dataset.raw
    before = lab.lake.read(raw["table"], raw["version"]).to_pandas()
    before = before[[name for name in before.columns if name in current.columns or name == target]]
    whole = pd.concat([before, current[before.columns]], ignore_index=True).drop_duplicates(ignore_index=True)
    how, time = lab.monitor.retrain_on, roles.time
    if how == "since_drift":
        return current[before.columns].reset_index(drop=True), roles
    if how == "all" or not time:
        return whole, roles
    stamps = pd.to_datetime(whole[time], errors="coerce", utc=True)
    age = (stamps.max() - stamps).dt.total_seconds()
    span = seconds_of("monitor.recent", lab.monitor.recent) or 1.0
    if how == "recent":
        return whole[age <= span].reset_index(drop=True), roles
    weighted = whole.assign(**{_WEIGHT: 0.5 ** (age.fillna(age.max()) / span)})
    return weighted, replace(roles, weight=_WEIGHT)


def _labelled(lab: Lab, current: pd.DataFrame, target: str) -> pd.DataFrame | None:
    if target not in current.columns:
        name = f"truth/{lab.name}"
        if name not in lab.lake.tables() or "row_id" not in current.columns:
            return None
        truth = lab.lake.read(name).to_pandas()
        truth = truth.sort_values("time", kind="stable") if "time" in truth.columns else truth
        truth = truth.drop_duplicates("row_id", keep="last").set_index("row_id")
        column = target if target in truth.columns else "truth"
        current = current.assign(**{target: truth[column].reindex(current["row_id"]).to_numpy()})
    found = current[current[target].notna()]
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
