"""`leaflab monitor`: is the champion still right, what does it cost where it is not, and is it time to retrain?"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from leaflab.metric.all import all_metrics
from leaflab.tracking.opening import locked
from leaflab.watch.look import Limits, look
from leaflab.watch.reference import reference
from leaflab.workflow.current import Typing, current_rows
from leaflab.workflow.evidence import subject_of_version
from leaflab.workflow.logbook import Logbook
from leaflab.workflow.monitored import Monitored
from leaflab.workflow.predict import standing_version
from leaflab.workflow.retraining import close_the_loop
from leaflab.workflow.watching import watch
from leaflab.workflow.windows import Windows

if TYPE_CHECKING:
    from leaflab.watch.look import Known
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Monitored", "monitor"]


def monitor(lab: Lab) -> Monitored:
    """Looks at the current rows once, or again and again (`monitor.watch=true`).

    Raises:
        ModelError: there is no such model.
        ConfigError: `current` names nothing to look at.
    """
    return watch(lab, _look) if lab.monitor.watch else _look(lab)


def _look(lab: Lab) -> Monitored:
    asked = lab.monitor
    version = standing_version(lab, asked.alias, asked.version)
    subject = subject_of_version(lab, version)
    current, known = current_rows(lab), _known(lab, subject)
    subject = replace(subject, dataset=replace(subject.dataset, parts={}))  # seen, and large: their memory is needed
    within = None if asked.fresh_within is None else asked.fresh_within.total_seconds()
    limits = Limits(
        asked.alpha,
        asked.min_impact,
        asked.tolerance,
        within,
        asked.min_rows,
        asked.max_rows,
        asked.season,
    )
    windows = Windows(lab, current, Typing(lab, subject), known)
    turn = lab.folder / "monitor" / "looks" / f"{version.name}-{version.number}.lock"
    with locked(turn), Logbook(lab, version, known) as book:
        for window in windows:
            book.add(look(known, window, lab.drift, limits, time.time()))
        book.noted(windows.notes)
        decision = book.close()
    retrained = close_the_loop(lab, subject, decision) if decision.retrain else ""
    return Monitored(version, book.run_id, book.looks, tuple(a for a in book.alarms if a.open), decision, retrained)


def _known(lab: Lab, subject: Subject) -> Known:
    metric = lab.metric.resolve(subject.dataset.task)
    metrics = [metric, *(m for m in all_metrics(subject.dataset.task) if m.name != metric.name)]
    asked = lab.monitor
    return reference(
        subject.scorer, subject.dataset, metrics, which=asked.reference, sample=asked.sample, seed=lab.seed
    )
