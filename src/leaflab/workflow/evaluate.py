"""`leaflab evaluate`: scores a model once on the test set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from leaflab.errors import DataError
from leaflab.identity import fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Input, Metric, Tag
from leaflab.workflow.evaluated import Evaluated
from leaflab.workflow.evidence import judged, subject_asked, subject_of_version
from leaflab.workflow.odometer import look_tags
from leaflab.workflow.reporting import recalibrated, report

if TYPE_CHECKING:
    from leaflab.values import Item, Judged
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.swept import Swept

__all__ = ["Evaluated", "evaluate"]

_log = logging.getLogger(__name__)


def evaluate(lab: Lab, swept: Swept | None = None) -> Evaluated:
    """Scores a model on the test rows of its dataset and records it on its run, its model and its version.

    Raises:
        ModelError: there is no such model.
        DataError: its dataset has no test rows (under `run`: not applicable).
    """
    subject = subject_asked(lab, swept.run_id if swept else None)
    dataset = subject.dataset
    if not dataset.rows("test"):
        return _no_test(lab, subject)
    if lab.evaluate.recalibrate:
        subject = subject_of_version(lab, recalibrated(lab, subject))
    answers = judged(subject.label, subject.scorer, dataset, dataset.parts["test"])
    made = report(lab, subject, answers) if lab.evaluate.report else None
    spec = RunSpec(
        experiment=subject.run.experiment,
        verb="evaluate",
        name=f"evaluate {subject.label}",
        key=fold({"verb": "evaluate", "model": subject.digest, "test": dataset.digests["test"]}),
        tags=look_tags(subject),
    )
    with lab.tracking.start(spec) as run:
        run.log(_items(subject, answers))
        run.log(made.items() if made else ())
    found = [Metric(f"test/{name}", value) for name, value in answers.metrics.items()]
    lab.tracking.annotate(subject.run.id, found)
    if subject.version:
        tags = {item.key: f"{item.value:.6g}" for item in found}
        lab.tracking.registry.tag(subject.version.name, subject.version.number, tags)
    advice = made.advice if made else ()
    return Evaluated(subject.label, run.id, answers.metrics, dataset.rows("test"), advice)


def _no_test(lab: Lab, subject: Subject) -> Evaluated:
    reason = f"'{subject.dataset.name}' has no test rows (split.test_size=0)"
    if lab.verb == "run":
        _log.info("evaluate: not applicable, %s.", reason)
        return Evaluated(subject.label, note=reason + ".")
    raise DataError(f"'{subject.dataset.name}'", "has no test rows", hint="prepare it with split.test_size above 0")


def _items(subject: Subject, answers: Judged) -> Iterator[Item]:
    dataset = subject.dataset
    version = dataset.versions.get("test")
    source = f"lake/dataset/{dataset.name}/test" + (f"@{version}" if version is not None else "")
    yield Input(dataset.name, dataset.digests["test"], "test", source, dataset.rows("test"))
    for name, value in answers.metrics.items():
        yield Metric(f"test/{name}", value)
    yield Metric("time/predict_ms_per_1k_rows", float(answers.facts["ms_per_1k_rows"]))
    if subject.version:
        yield Tag("leaflab.version", str(subject.version.number))
