"""A model's report: assessed on its test rows, drawn, and logged for the MLflow UI."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError, LeaflabError
from leaflab.metric.interval import intervals
from leaflab.report.advice import Advice, advise
from leaflab.report.assess import Assessment, Rows, assess, valid_scores
from leaflab.report.calibration import recalibration
from leaflab.report.card import card, page
from leaflab.report.importance import uncorrected
from leaflab.scorer.predictor import Boosters, Recalibrated
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Metric, Model
from leaflab.workflow.evidence import clean_rows, judged, subject_of_version, truth_of, weight_of
from leaflab.workflow.odometer import looks, worn
from leaflab.workflow.rivals import baselines
from leaflab.workflow.summary import when

if TYPE_CHECKING:
    from leaflab.values import Dataset, Item, Judged, Version
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Report", "recalibrated", "report"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """An assessment with what was made of it."""

    found: Assessment
    advice: tuple[Advice, ...]
    html: str
    card: str

    def items(self) -> Iterator[Item]:
        """What is logged on the evaluate run."""
        yield Artifact("report.html", self.html)
        yield Artifact("model-card.md", self.card)
        plain = {
            "intervals": self.found.intervals,
            "slices": [s.__dict__ for s in self.found.slices],
            "importance": self.found.importance,
            "contributions": self.found.contributions,
            "curve": self.found.curve,
            "threshold": self.found.threshold.__dict__ if self.found.threshold else None,
            "advice": [tip.__dict__ for tip in self.advice],
        }
        yield Artifact("report.json", json.dumps(plain, ensure_ascii=False, indent=1))
        for metric, (low, high) in self.found.intervals.get(next(iter(self.found.models)), {}).items():
            yield Metric(f"test/{metric}_low", low)
            yield Metric(f"test/{metric}_high", high)
        for name, seconds in self.found.seconds.items():
            yield Metric(f"time/predict_{name.replace(' ', '_').replace(',', '')}_ms", seconds * 1000)
        if self.found.threshold:
            yield Metric("valid/threshold", self.found.threshold.cut)


def report(lab: Lab, subject: Subject, own: Judged) -> Report:
    """Assesses a model beside the champion and the baselines; whatever cannot be compared is left out and said."""
    dataset = subject.dataset
    others, note = _others(lab, subject)
    models = {subject.label: own, **others}
    choices = {"beta": lab.evaluate.beta, "costs": lab.evaluate.costs}
    parts = {name: _rows(dataset, name) for name in ("train", "valid", "test")}
    metric = lab.metric.resolve(dataset.task)
    found = assess(subject.scorer, parts, models, metric, **choices)
    scores = {label: model.scores for label, model in models.items()}
    found = replace(found, intervals=intervals(dataset.task, found.truth, scores, found.weight))
    advice = tuple(advise(found, lab.name, _facts(lab, subject, parts["train"])))
    about = _about(lab, subject, note)
    return Report(found, advice, page(found, about, advice).html(), card(found, about, advice))


def _rows(dataset: Dataset, name: str) -> Rows:
    table = dataset.parts[name]
    return Rows(table.to_pandas(), truth_of(dataset, table), weight_of(dataset, table))


def _others(lab: Lab, subject: Subject) -> tuple[dict[str, Judged], str]:
    """The champion and the baselines on the same rows, and why the champion is not among them."""
    dataset, test = subject.dataset, subject.dataset.parts["test"]
    rest = baselines(lab, subject, test)
    champion = lab.tracking.registry.version(lab.name, alias="champion")
    if champion is None or (subject.version and champion.number == subject.version.number):
        return rest, ""
    try:
        before = subject_of_version(lab, champion)
        if clean_rows(dataset, before.dataset).num_rows < test.num_rows:
            return rest, f"{champion} learnt from some of these rows and is not shown; promote compares on the others."
        return {"champion": judged("champion", before.scorer, dataset, test), **rest}, ""
    except LeaflabError as error:
        return rest, f"{champion} is not comparable: {error}"


def _facts(lab: Lab, subject: Subject, train: Rows) -> dict[str, Any]:
    """What advice needs to know beyond the assessment."""
    metric = lab.metric.resolve(subject.dataset.task)
    some = Rows(train.frame.iloc[:5000], train.truth[:5000])
    scores = subject.scorer.predictor.predict(subject.scorer.encoder.encode(some.frame))
    learnt = subject.run.metrics.get(f"oof/{metric.name}", subject.run.metrics.get(f"valid/{metric.name}"))
    return {
        "edges": _edges(getattr(lab.search, "space", None) or {}, subject.run.params),
        "train_loss": metric.loss(metric.score(some.truth, scores)),
        "valid_loss": metric.loss(learnt) if learnt is not None else None,
        "suspect_labels": subject.dataset.facts.get("suspect_labels", 0),
        "rows": len(train.truth),
        "sweep": _words(lab, subject),
        "table": str(subject.dataset.raw.get("table", subject.dataset.name)).removeprefix("raw/"),
    }


def _words(lab: Lab, subject: Subject) -> list[str]:
    """What was typed to make the model, as it would be typed again."""
    runs = (subject.run.id, subject.run.tags.get("mlflow.parentRunId", ""))
    file = next((f for run in runs if run and (f := lab.tracking.artifact(run, "overrides.json"))), None)
    words = json.loads(file.read_text(encoding="utf-8")) if file else [f"name={lab.name}"]
    pairs = [word.partition("=")[::2] for word in words if not word.startswith(("promote.", "evaluate."))]
    return [f"{key}={_bare(value)}" for key, value in pairs if (key, value) != ("search.seconds", "null")]


def _bare(value: str) -> str:
    """A value, or a list of them, without the quotes that the command line adds by itself."""
    return re.sub(r"'([^'\\,]*)'", r"\1", value)


def _edges(space: Mapping[str, Any], params: Mapping[str, str]) -> list[str]:
    """Searched parameters whose best value lies within a fiftieth of an end of their range."""
    import math

    found = []
    for name, spec in space.items():
        if not isinstance(spec, Mapping) or "low" not in spec or name not in params:
            continue
        scale = math.log if spec.get("log") else float
        low, high, value = (scale(float(v)) for v in (spec["low"], spec["high"], params[name]))
        if min(value - low, high - value) <= 0.02 * (high - low):
            found.append(name)
    return found


def _about(lab: Lab, subject: Subject, note: str) -> dict[str, Any]:
    dataset = subject.dataset
    facts = {
        "test rows": f"{dataset.rows('test'):,}",
        "test set": worn(looks(lab, subject)),
        "dataset": dataset.id[:12],
        "run": subject.run.id[:12],
    }
    shape = f"{len(dataset.classes)} classes" if dataset.classes else "a number"
    predictor = subject.scorer.predictor
    made, _ = uncorrected(predictor)
    kind = f"{len(made.models)} LightGBM booster(s), averaged" if isinstance(made, Boosters) else made.to_json()["kind"]
    details = {
        "model": f"{kind}{', probabilities recalibrated' if made is not predictor else ''}",
        "classes": ", ".join(map(str, dataset.classes[:20])),
        "learnt from": f"{dataset.rows('train'):,} training and {dataset.rows('valid'):,} validation rows",
        "made": when(subject.run.started),
        "code": subject.run.tags.get("mlflow.source.git.commit", ""),
    }
    return {
        "title": subject.label,
        "lead": f"Predicts '{dataset.target}' ({shape}) from {len(subject.scorer.columns)} columns. {note}".strip(),
        "classes": dataset.classes,
        "facts": facts,
        "details": {name: said for name, said in details.items() if said},
        "use": f"Answers '{dataset.target}' for rows like those of '{dataset.name}' ({dataset.raw.get('uri', '')}).",
    }


def recalibrated(lab: Lab, subject: Subject) -> Version:
    """Registers the same model with its probabilities corrected on the validation rows, as the new challenger.

    Raises:
        ConfigError: the task has not two classes, or there are no validation rows.
    """
    kind, dataset = lab.evaluate.recalibrate, subject.dataset
    assert kind is not None
    if dataset.task != "binary" or not dataset.rows("valid"):
        rule = "needs a binary task and validation rows"
        raise ConfigError("`evaluate.recalibrate`", rule, got=f"{dataset.task}, {dataset.rows('valid')} rows")
    parts = {name: _rows(dataset, name) for name in ("train", "valid")}
    base, _ = uncorrected(subject.scorer.predictor)
    scores = next(reversed(valid_scores(replace(subject.scorer, predictor=base), parts).values()))
    x, y = recalibration(kind, parts["valid"].truth, scores[:, 1], parts["valid"].weight)
    scorer = replace(subject.scorer, predictor=Recalibrated(base, x, y))
    kept = {k: v for k, v in subject.run.tags.items() if k in ("leaflab.dataset", "leaflab.sweep", "leaflab.leaks")}
    name = f"recalibrate {subject.label} ({kind})"
    spec = RunSpec(subject.run.experiment, "evaluate", name, parent=subject.run.id, tags=kept)
    with lab.tracking.start(spec) as run:
        started = time.perf_counter()
        run.log([Model(scorer.files(), params={"recalibrate": kind})])
        run.log([Metric("time/fit_seconds", time.perf_counter() - started)])
    registry = lab.tracking.registry
    version = registry.register(lab.name, run.id, {"leaflab.dataset": dataset.id})
    registry.point(lab.name, "challenger", version.number)
    _log.info("%s is %s, its probabilities corrected (%s).", version, subject.label, kind)
    return version
