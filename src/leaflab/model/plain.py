"""A bench for models that learn in one step, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from leaflab.model.base import Fitted
from leaflab.model.meter import Meter

if TYPE_CHECKING:
    import numpy as np

    from leaflab.model.binning import Store
    from leaflab.scorer.predictor import Predictor

__all__ = ["Learner", "PlainBench"]


class Learner(Protocol):
    """Learns a predictor from rows."""

    def learn(
        self, store: Store, rows: np.ndarray, task: str, outputs: int, params: Mapping[str, Any]
    ) -> Predictor: ...


@dataclass(frozen=True)
class PlainBench:
    """Fits a learner on each fold and keeps its predictor as JSON."""

    folder: Path
    learner: Learner
    task: str
    outputs: int
    metric: Any
    score: Callable[..., dict[str, float]]

    def run(self, job: Any, report: Callable[[Any], str]) -> Fitted:
        fits = [self._fit(job, number) for number in job.folds]
        return fits[0] if len(fits) == 1 else _merged(fits)

    @cached_property
    def _store(self) -> Store:
        from leaflab.model.binning import store

        return store(self.folder)

    def _fit(self, job: Any, number: int | None) -> Fitted:
        import numpy as np

        data = self._store
        train, valid = data.rows(number)
        meter = Meter()
        predictor = self.learner.learn(data, np.asarray(train), self.task, self.outputs, job.params)
        meter.lap("fit")
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        name = "all" if number is None else str(number)
        text = json.dumps(predictor.to_json()).encode()
        model, kept = folder / f"predictor-{name}.json", folder / f"scores-{name}.npy"
        model.write_bytes(text)
        size = {"size_bytes": float(len(text))}
        if not len(valid):
            return Fitted("complete", None, facts={**meter.facts, **meter.totals, **size}, models=(model,))
        meter.restart()
        scores = predictor.predict(np.asarray(data.seen({})[valid]))
        meter.lap("predict")
        facts = {**meter.facts, **meter.totals, **size}
        facts["predict_ms_per_1k_rows"] = meter.facts["predict_seconds"] * 1e6 / len(valid)
        np.save(kept, scores)
        truth, weight = np.asarray(data.target[valid]), None if data.weight is None else data.weight[valid]
        value = self.metric.score(truth, scores, weight)
        metrics = self.score(self.task, truth, scores, weight)
        return Fitted("complete", value, (value,), (0,), metrics, (), facts, (model,), (kept,))


def _merged(fits: list[Fitted]) -> Fitted:
    def mean(numbers: list[Any]) -> float:
        return float(sum(numbers) / len(numbers))

    metrics = {k: mean([f.metrics[k] for f in fits]) for k in fits[0].metrics if all(k in f.metrics for f in fits)}
    facts = {k: mean([f.facts[k] for f in fits]) for k in fits[0].facts}
    facts |= {k: facts[k] * len(fits) for k in ("fit_seconds", "size_bytes")}  # of all folds, as a booster's are
    values = tuple(v for f in fits for v in f.values)
    value = mean(list(values)) if values else None
    models, scores = tuple(m for f in fits for m in f.models), tuple(s for f in fits for s in f.scores)
    return Fitted("complete", value, values, tuple(0 for _ in fits), metrics, (), facts, models, scores)
