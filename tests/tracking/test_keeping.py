"""Models of trials are kept as asked, registered ones always, and space is taken back."""

from __future__ import annotations

import os
import time

import pytest

from leaflab.tracking.base import RunSpec
from leaflab.tracking.batch import batched
from leaflab.tracking.keeping import Keeper, orphans, reclaim, spares
from leaflab.tracking.local import Local
from leaflab.values import Metric, Model

SCORES = [0.5, 0.3, 0.9, 0.2, 0.8, 0.1]
TAGS = {"leaflab.metric": "valid/log_loss", "leaflab.direction": "minimize"}


def sweep(tracking, toys):
    with tracking.start(RunSpec("toy", "sweep", "sweep toy", "k", tags=TAGS)) as run:
        for number, score in enumerate(SCORES):
            spec = RunSpec("toy", "trial", f"trial {number}", f"k/{number}", run.id)
            model = Model(toys.constant(score).files())
            run.child(spec, [Metric("valid/log_loss", score), model], status="FINISHED", started=1, ended=2)
    return run.id


def kept(tracking):
    trials = tracking.search("toy", {"leaflab.verb": "trial"})
    return sorted(SCORES[int(t.name.split()[1])] for t in trials if tracking.scorer(t.id))


@pytest.mark.parametrize(
    ("settings", "scores"),
    [({}, sorted(SCORES)), ({"models": "best"}, [0.1]), ({"models": "top_k", "top_k": 2}, [0.1, 0.2]),
     ({"top_k": 2, "all_up_to": 3}, [0.1, 0.2])],
    ids=str,
)  # fmt: skip
def test_keeps_the_models_asked_for(home, toys, settings, scores):
    tracking = Local(home=home, **settings)
    sweep(tracking, toys)
    assert kept(tracking) == scores
    assert len(list((home / "mlartifacts" / "toy" / "models").iterdir())) == len(scores)


def test_a_pruned_trial_has_a_model_but_is_never_among_the_best(home, toys):
    def pruned(tracking, number, score):
        spec = RunSpec("toy", "trial", f"trial {number}", f"k/{number}", run.id, {"leaflab.state": "pruned"})
        model = Model(toys.constant(score).files())
        run.child(spec, [Metric("valid/log_loss", score), model], status="FINISHED", started=1, ended=2)

    for models, left in (("all", 2), ("top_k", 0)):
        tracking = Local(home=home, models=models, top_k=1)
        with tracking.start(RunSpec("toy", "sweep", "sweep toy", models, tags=TAGS)) as run:
            pruned(tracking, 90, 0.01)
            pruned(tracking, 91, 0.02)
            model = Model(toys.constant(0.3).files())
            spec = RunSpec("toy", "trial", "trial 1", f"{models}/1", run.id)
            run.child(spec, [Metric("valid/log_loss", 0.3), model], status="FINISHED", started=1, ended=2)
        trials = tracking.search("toy", {"mlflow.parentRunId": run.id})
        assert sorted(t.name for t in trials if tracking.scorer(t.id))[:1] == ["trial 1"]
        assert len([t for t in trials if tracking.scorer(t.id)]) == 1 + left
    kept_by = {s.model_id for s in spares(home / "mlflow.db", 1)}
    assert len(kept_by) == 2  # of the first sweep the two pruned ones, though their values are lower


def test_a_greater_metric_may_be_the_better():
    keeper = Keeper("top_k", 2, metric="auc", minimize=False)
    wanted = [keeper.wants(batched([Metric("auc", v)])) for v in (0.5, 0.6, 0.4, 0.7, float("nan"))]
    assert wanted == [True, True, False, True, False]


def test_without_an_objective_every_model_is_kept():
    keeper = Keeper("top_k", 1)
    assert all(keeper.wants(batched([Metric("auc", v)])) for v in (3.0, 2.0, 1.0))


def test_registered_models_are_never_spare_and_orphans_are_found(home, toys):
    tracking = Local(home=home)
    sweep(tracking, toys)
    worst = next(t for t in tracking.search("toy") if t.name == "trial 2")
    tracking.registry.register("toy", worst.id, {})
    folder = home / "mlartifacts" / "toy" / "models" / "m-left"
    folder.mkdir()
    (folder / "file").write_text("12345")
    assert list(orphans(home / "mlflow.db")) == []
    os.utime(folder, (time.time() - 7200,) * 2)
    assert [(s.folder.name, s.size) for s in orphans(home / "mlflow.db")] == [("m-left", 5)]
    found = list(spares(home / "mlflow.db", 1))
    assert len(found) == 4
    assert all(s.size > 0 for s in found)
    assert reclaim(home / "mlflow.db", found) > 0
    assert kept(tracking) == [0.1, 0.9]
    assert tracking.registry.scorer(tracking.registry.version("toy", number=1)).predictor.answer[1] == 0.9
