"""`leaflab sweep`: searches for the best model of a dataset, refits it and registers it as the challenger."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from leaflab.console import progress
from leaflab.identity import fold
from leaflab.model.dummy import Dummy
from leaflab.model.linear import Linear
from leaflab.search.base import Place
from leaflab.tracking.base import RunSpec
from leaflab.workflow.earlier import best_of, generation, remembered
from leaflab.workflow.learning import problem_of, scorer_of
from leaflab.workflow.measures import measures
from leaflab.workflow.prepare import prepare
from leaflab.workflow.recording import configured
from leaflab.workflow.sweeping import Recorder
from leaflab.workflow.swept import Swept

if TYPE_CHECKING:
    from leaflab.tracking.base import Run
    from leaflab.values import Dataset, Trial
    from leaflab.workflow.lab import Lab

__all__ = ["RESULTS_VERSION", "sweep", "sweep_id"]

RESULTS_VERSION = 13
"""Bumped by hand when the same configuration would give other trials or another final model than before."""

_log = logging.getLogger(__name__)


def sweep(lab: Lab, dataset: Dataset | None = None) -> Swept:
    """Continues the sweep of this dataset and configuration up to its total, and registers its best model.

    Raises:
        ConfigError: a parameter, an option or a metric that does not fit; another process at the same sweep.
        Interrupted: stopped twice, or before there was a model.
    """
    lab.executor.warm()
    with lab.tracking.ahead():
        return _recorded(lab, dataset or prepare(lab))


def _recorded(lab: Lab, dataset: Dataset) -> Swept:
    identity = generation(lab.folder / "sweeps", sweep_id(lab, dataset), anew=getattr(lab.search, "fresh", False))
    spec = RunSpec(
        experiment=lab.name,
        verb="sweep",
        name=f"sweep {lab.name} {lab.search.budget}",
        key=identity,
        tags={"leaflab.sweep": identity, "leaflab.dataset": dataset.id, **_objective(lab, dataset)},
        adopt=True,
    )
    with lab.tracking.start(spec) as run:
        run.log(configured(lab))
        return _swept(lab, dataset, identity, run)


def _objective(lab: Lab, dataset: Dataset) -> dict[str, str]:
    metric = lab.metric.resolve(dataset.task)
    return {"leaflab.metric": f"valid/{metric.name}", "leaflab.direction": metric.direction}


def sweep_id(lab: Lab, dataset: Dataset) -> str:
    """What makes two sweeps the same: everything that can change a trial or the final model, but not the budget."""
    return fold(_key(lab, dataset))


def _key(lab: Lab, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.id,
        "features": dataset.features,
        "monotone": dataset.monotone,
        "search": lab.search.key,
        "model": repr(lab.model),
        "metric": repr(lab.metric.resolve(dataset.task)),
        "seed": lab.seed,
        "results": RESULTS_VERSION,
    }


def _swept(lab: Lab, dataset: Dataset, identity: str, run: Run) -> Swept:
    started = time.monotonic()
    problem, encoder = problem_of(dataset, lab.metric, lab.model.most_pairs)
    recorder = Recorder(lab, dataset, encoder, identity, run, problem.metric.name)
    baselines = {"dummy": Dummy(), "linear": Linear()}
    budget = {key: getattr(lab.search, key, None) for key in ("trials", "seconds")}
    with progress(problem.metric.name, problem.metric.direction, **budget) as shown:

        def watch(trial: Trial) -> None:
            recorder.trial(trial)
            shown(trial)

        folder = lab.folder / "sweeps" / identity
        remembered(folder, lab.name, _key(lab, dataset))
        earlier = best_of(lab, getattr(lab.search, "warm_start", None), problem.metric)
        place = Place(identity, folder, lab.seed, baselines, watch, earlier, measures(dataset, problem), started)
        found = lab.search.run(problem, lab.model, lab.executor, place)
    scorer = scorer_of(
        dataset, encoder, found.predictor, {"run_id": run.id, "members": list(found.members), "made": list(found.made)}
    )
    version = recorder.finish(found, scorer)
    return Swept(
        name=lab.name,
        run_id=run.id,
        sweep_id=identity,
        metric=problem.metric.name,
        best=found.best,
        trials=found.trials,
        scorer=scorer,
        members=found.members,
        version=version,
        baselines={name: trial for name, (trial, _) in found.baselines.items()},
        dataset=dataset,
        refitted=found.metrics,
        notes=found.notes,
        seconds=found.seconds,
        complete=found.complete,
        stopped=found.stopped,
        objectives=found.objectives,
        front=found.front,
        kept=found.kept,
    )
