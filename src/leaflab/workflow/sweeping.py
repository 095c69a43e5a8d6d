"""A sweep as MLflow shows it: a child run a trial and a baseline, and the final model on the sweep's own run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import TrackingError
from leaflab.report.sweep import SweepFacts, sweep_report
from leaflab.search.frontier import frontier
from leaflab.search.objectives import key_of
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Input, Metric, Model, Param, Tag
from leaflab.workflow.learning import scorer_of
from leaflab.workflow.recording import shown

if TYPE_CHECKING:
    from leaflab.scorer import Encoder, Scorer
    from leaflab.scorer.predictor import Predictor
    from leaflab.search.base import Found
    from leaflab.tracking.base import Run
    from leaflab.values import Dataset, Item, Trial, Version
    from leaflab.workflow.lab import Lab

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_TIMES = {"fit_seconds", "predict_seconds", "bin_seconds", "cpu_seconds", "predict_ms_per_1k_rows"}
_STATUS = {"failed": "FAILED"}
_FINAL = "recorded.txt"


@dataclass
class Recorder:
    """Writes what a search finds onto the sweep's run; writing the same thing twice changes nothing."""

    lab: Lab
    dataset: Dataset
    encoder: Encoder
    sweep: str
    run: Run
    metric: str

    def trial(self, trial: Trial) -> None:
        """One finished trial as a child run."""
        predictor = self._predictor(trial)
        spec = RunSpec(
            experiment=self.lab.name,
            verb="trial",
            name=f"trial {trial.number:04d}",
            key=f"{self.sweep}/{trial.number}",
            tags={**self._tags(trial), "leaflab.trial": str(trial.number)},
        )
        self._child(spec, trial, predictor)

    def finish(self, found: Found, scorer: Scorer) -> Version | None:
        """Baselines, the refitted model and its version; None where the store is away and will have it later."""
        for name, (trial, predictor) in found.baselines.items():
            spec = RunSpec(
                self.lab.name, "baseline", f"baseline {name}", f"{self.sweep}/{name}", tags=self._tags(trial)
            )
            self._child(spec, trial, predictor)
        final = self._recorded()
        if final != found.digest:
            self.run.log(self._final(found, scorer, fresh=not final))
        self.run.log(self._report(found))
        tags = {"leaflab.sweep": self.sweep, "leaflab.dataset": self.dataset.id, "leaflab.metric": self.metric}
        version = self.run.register(self.lab.name, tags)
        if version is not None:
            (self._folder / _FINAL).write_text(found.digest, encoding="utf-8")
        return version

    @property
    def _folder(self) -> Path:
        return self.lab.folder / "sweeps" / self.sweep

    def _recorded(self) -> str:
        """The digest of the final model that the run has already: its store says, or where that is away our memory."""
        try:
            known = self.lab.tracking.get(self.run.id)
        except TrackingError:
            file = self._folder / _FINAL
            return file.read_text(encoding="utf-8") if file.is_file() else ""
        return known.tags.get("leaflab.final", "") if known else ""

    def _child(self, spec: RunSpec, trial: Trial, predictor: Predictor | None) -> None:
        status: Any = _STATUS.get(trial.state, "FINISHED")
        ended = trial.started + trial.seconds
        self.run.child(spec, self._items(trial, predictor), status=status, started=trial.started, ended=ended)

    def _tags(self, trial: Trial) -> dict[str, str]:
        return {"leaflab.sweep": self.sweep, "leaflab.dataset": self.dataset.id, "leaflab.state": trial.state}

    def _predictor(self, trial: Trial) -> Predictor | None:
        """The trial's own model, from the files its worker wrote."""
        files = sorted(Path(str(trial.files)).glob("*-[0-9]*.[tj]*")) if trial.files else []
        if not files:
            return None
        texts = [file.read_text(encoding="utf-8") for file in files]
        return self.lab.model.predictor(texts, [1.0 / len(texts)] * len(texts))

    def _items(self, trial: Trial, predictor: Predictor | None) -> Iterator[Item]:
        for key, value in trial.params.items():
            yield Param(key, value)
        for step, point in trial.curve:
            yield Metric(f"valid/{self.metric}", point, step)
        yield from self._metrics(trial)
        yield from self._inputs()
        yield Tag("leaflab.seed", str(trial.seed))
        if trial.state == "pruned" and trial.curve:
            yield Tag("leaflab.step", str(trial.curve[-1][0]))
        if trial.error:
            yield Artifact("error.txt", trial.error)
        if predictor is not None:
            scorer = scorer_of(self.dataset, self.encoder, predictor, {"trial": trial.number})
            yield Model(
                scorer.files(), metrics={f"valid/{k}": v for k, v in trial.metrics.items()}, params=trial.params
            )

    def _metrics(self, trial: Trial) -> Iterator[Item]:
        if trial.value is not None and self.metric not in trial.metrics:
            yield Metric(f"valid/{self.metric}", trial.value)
        for name, value in trial.metrics.items():
            yield Metric(f"valid/{name}", value)
        yield Metric("time/seconds", trial.seconds)
        for name, value in trial.facts.items():
            yield Metric(f"time/{name}" if name in _TIMES else name if "/" in name else f"model/{name}", value)

    def _inputs(self) -> Iterator[Item]:
        for part in ("train", "valid"):
            version = self.dataset.versions.get(part)
            source = f"lake/dataset/{self.dataset.name}/{part}" + (f"@{version}" if version is not None else "")
            table = self.dataset.parts[part]
            schema = {field.name: str(field.type) for field in table.schema}
            yield Input(self.dataset.name, self.dataset.digests[part], part, source, table.num_rows, schema)

    def _final(self, found: Found, scorer: Scorer, *, fresh: bool) -> Iterator[Item]:
        """The best trial and the model made of it; MLflow's params never change, so a later best stands in tags."""
        best = found.best
        metrics = {**{f"valid/{k}": v for k, v in best.metrics.items()}, **found.metrics}
        for key, value in best.params.items():
            yield Param(key, value) if fresh else Tag(f"best.{key}", str(value))
        for name, value in metrics.items():
            yield Metric(name, value)
        for phase, seconds in found.seconds.items():
            yield Metric(f"time/{phase}_seconds", seconds)
        for name, (trial, _) in found.baselines.items():
            yield Metric(f"baseline/{name}/{self.metric}", trial.value or 0.0)
        yield from self._inputs()
        yield Tag("leaflab.best", str(best.number))
        example = self.dataset.parts["train"].select([c.name for c in self.dataset.columns]).slice(0, 5)
        yield Model(scorer.files(), metrics=metrics, params=best.params, example=example)
        yield Tag("leaflab.final", found.digest)

    def _report(self, found: Found) -> Iterator[Item]:
        """What people look at, and the study itself; made anew whenever trials were added."""
        yield Metric("trials", float(len(found.trials)))
        yield Tag("leaflab.state", "interrupted" if found.stopped else "complete")
        if found.objectives:
            yield Tag("leaflab.front", ", ".join(str(t.number) for t in found.front))
        if self._suspects:
            yield Tag("leaflab.leaks", ", ".join(self._suspects))
        yield from sweep_report(self._facts(found))
        journal = self._folder / "journal.log"
        if journal.is_file():
            yield Artifact("study/journal.log", journal)

    @property
    def _suspects(self) -> list[str]:
        """Columns that leak or may: known to the preparation, kept all the same."""
        return [*self.dataset.facts.get("leaks", ()), *self.dataset.facts.get("suspects", ())]

    def _facts(self, found: Found) -> SweepFacts:
        return SweepFacts(
            title=f"Sweep {self.lab.name} {self.lab.search.budget}",
            trials=found.trials,
            metric=self.metric,
            direction=self.lab.metric.resolve(self.dataset.task).direction,
            baselines={k: trial.value for k, (trial, _) in found.baselines.items() if trial.value is not None},
            space=getattr(self.lab.search, "space", None) or {},
            data={part: digest for part, digest in self.dataset.digests.items() if self.dataset.rows(part)},
            command=shown(self.lab),
            members=found.members,
            notes=found.notes,
            verdicts=[f"leak suspected: {name}" for name in self._suspects] or ["no leak suspected"],
            final=found.metrics,
            objectives={name: key_of(name) for name in found.objectives if name != self.metric},
            raised=[key_of(name) for name, way in found.objectives.items() if way == "maximize"],
            front=[t.number for t in found.front],
            prefixes=[(p.seconds, p.value) for p in frontier(found.trials, self.lab.metric.resolve(self.dataset.task))],
        )
