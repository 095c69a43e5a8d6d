"""Every option of `conf/search` keeps the contract of searches, on a small real problem."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from leaflab.door.compose import lab_for
from leaflab.errors import ExtraError
from leaflab.executor.inline import Inline
from leaflab.model.dummy import Dummy
from leaflab.model.lightgbm import LightGBM
from leaflab.model.linear import Linear
from leaflab.search.base import Place

CONF = Path(__file__).parents[2] / "conf" / "search"
OPTIONS = sorted(p.stem for p in CONF.glob("*.yaml") if not p.stem.startswith("_"))
PRUNERS = sorted(p.stem for p in (CONF / "pruner").glob("*.yaml"))
SPACES = sorted(p.stem for p in (CONF / "space").glob("*.yaml"))
EXTRAS = {"cmaes": "cmaes", "gp": "torch"}
MODEL = LightGBM(max_rounds=12)


def searched(search, problem, folder, model=MODEL, executor=None, seed=0):
    seen = []
    place = Place("sweep", folder, seed, {"dummy": Dummy(), "linear": Linear()}, seen.append)
    return search.run(problem, model, executor or Inline(), place), seen


def option(*overrides):
    return lab_for("sweep", ["name=x", *overrides]).search


def test_there_are_options_to_check():
    assert len(OPTIONS) >= 5
    assert len(PRUNERS) >= 6
    assert len(SPACES) >= 3


@pytest.mark.parametrize("name", OPTIONS)
def test_every_search_finds_a_model_that_beats_the_constant(name, puzzle, home):
    search = option(f"search={name}", "search.trials=5", "search/space=small")
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        with pytest.raises(ExtraError, match=f"`search={name}` needs an optional package"):
            searched(search, puzzle(), home / "s")
        return
    problem = puzzle()
    found, seen = searched(search, problem, home / "s")
    assert [t.number for t in seen] == [t.number for t in found.trials] == list(range(5))
    scores = found.predictor.predict(problem.matrix)
    assert scores.shape == (200, 2)
    assert found.best.value < found.baselines["dummy"][0].value
    assert found.trials[0].params == {}


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_lets_the_sweep_end(name, puzzle, home):
    validation = "kfold" if name == "wilcoxon" else "holdout"
    search = option(f"search/pruner={name}", "search.trials=7", f"search.validation={validation}", "search.folds=4")
    found, _ = searched(search, puzzle(), home / "s", LightGBM(max_rounds=60))
    assert len(found.trials) == 7
    assert {t.state for t in found.trials} <= {"complete", "pruned"}


@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_known_to_lightgbm(name, puzzle, home):
    found, _ = searched(option(f"search/space={name}", "search.trials=4"), puzzle("regression"), home / "s")
    assert all(t.state != "failed" for t in found.trials)


@pytest.mark.parametrize("refit", ["best", "bag", "blend"])
@pytest.mark.parametrize(("kind", "task"), [("holdout", "binary"), ("kfold", "multiclass"), ("repeated", "regression")])
def test_every_refit_after_every_validation(refit, kind, task, puzzle, home):
    search = option(f"search.refit={refit}", f"search.validation={kind}", "search.trials=4", "search.folds=3")
    problem = puzzle(task, weight=True)
    found, _ = searched(search, problem, home / "s")
    size = 1 if task == "regression" else problem.outputs
    assert found.predictor.predict(problem.matrix).size == 200 * size
    where = [part["fold"] for part in found.made]
    assert len(found.predictor.models) == len(where)
    assert where == [None] if refit == "best" else ({None} if refit == "blend" else {0, 1, 2}) <= set(where)


@pytest.mark.parametrize(("kind", "facts"), [("group", {"group": 12}), ("time", {"temporal": True})])
def test_groups_and_times_are_respected(kind, facts, puzzle, home):
    found, _ = searched(option(f"search.validation={kind}", "search.trials=3"), puzzle(**facts), home / "s")
    assert found.best.value is not None


def test_the_same_command_continues_and_then_finds_itself_complete(puzzle, home):
    search = option("search.trials=4")
    one, _ = searched(search, puzzle(), home / "s")
    again, seen = searched(search, puzzle(), home / "s")
    assert (one.complete, again.complete, again.digest) == (False, True, one.digest)
    assert len(seen) == 4
    assert set(again.baselines) == {"dummy", "linear"}
    more, _ = searched(replace(search, trials=6), puzzle(), home / "s")
    assert (more.complete, more.resumed, len(more.trials)) == (False, 4, 6)
    fresh, _ = searched(replace(search, fresh=True), puzzle(), home / "s")
    assert (fresh.resumed, len(fresh.trials)) == (0, 4)


def test_the_same_seed_gives_the_same_model(puzzle, home):
    found = [searched(option("search.trials=5"), puzzle(), home / name)[0] for name in ("a", "b")]
    assert found[0].digest == found[1].digest
    other, _ = searched(option("search.trials=5"), puzzle(), home / "c", seed=1)
    assert other.digest != found[0].digest


@pytest.mark.parametrize("budget", [["search.trials=1"], ["search.seconds=1"]])
@pytest.mark.parametrize("rows", [30, 100])
def test_tiny_budgets_and_tiny_data_work(budget, rows, puzzle, home):
    found, _ = searched(option(*budget), puzzle("multiclass", rows=rows), home / "s")
    assert found.predictor.predict(puzzle(rows=7).matrix).shape == (7, 3)


@pytest.mark.parametrize("name", ["dummy", "linear"])
def test_a_baseline_may_be_the_swept_model(name, puzzle, home):
    model = lab_for("sweep", [f"model={name}", "name=x"]).model
    found, _ = searched(option("search.trials=3"), puzzle(), home / "s", model)
    assert found.predictor.to_json()["kind"] == {"dummy": "constant", "linear": "linear"}[name]


def test_any_of_optunas_own_samplers_and_pruners_by_one_yaml(puzzle, home):
    (home / "conf" / "search" / "pruner").mkdir(parents=True)
    sampler = "sampler:\n  _target_: optuna.samplers.NSGAIISampler\n  _partial_: true\n"
    (home / "conf" / "search" / "mine.yaml").write_text(
        f"defaults:\n  - _base\n  - space: small\n  - pruner: threshold\n  - _self_\n{sampler}"
    )
    pruner = "_target_: optuna.pruners.ThresholdPruner\n_partial_: true\nupper: 100.0\n"
    (home / "conf" / "search" / "pruner" / "threshold.yaml").write_text(pruner)
    assert len(searched(option("search=mine", "search.trials=3"), puzzle(), home / "s")[0].trials) == 3
