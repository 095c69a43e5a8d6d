"""Every option of `conf/search` keeps the contract of searches, on a small real problem."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError, ExtraError
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


def test_rungs_stop_trials_on_a_share_of_the_rows(puzzle, home):
    words = ["search/pruner=rungs", "search.pruner.least=30", "search.trials=20"]
    found, _ = searched(option(*words), puzzle(rows=600), home / "s", LightGBM(max_rounds=20))
    learnt = {t.number: "fit_seconds" in t.facts for t in found.trials}
    assert all(learnt[n] for n in range(4))  # what is put first is seen to its end
    assert not all(learnt.values())
    assert {t.state for t in found.trials if not learnt[t.number]} == {"pruned"}
    assert all(t.files for t in found.trials)


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
    assert where == [None] if refit == "best" else {0, 1, 2} <= set(where)


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


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "qmc", "grid"])
def test_several_objectives_give_a_front_that_is_optunas(name, puzzle, home):
    import optuna

    from leaflab.search.journal import Journal

    words = [f"search={name}", "search.trials=9", "search/space=small", "search.objectives=[model_bytes,rounds]"]
    found, _ = searched(option(*words), puzzle(), home / "s", LightGBM(max_rounds=40))
    study = optuna.load_study(
        study_name="sweep", storage=optuna.storages.JournalStorage(Journal(home / "s/journal.log"))
    )
    assert {t.number for t in found.front} <= {t.number for t in study.best_trials}
    assert {tuple(t.values) for t in study.best_trials} == {
        (t.value, t.facts["objective/model_bytes"], t.facts["objective/rounds"]) for t in found.front
    }
    assert found.objectives == {"log_loss": "minimize", "model_bytes": "minimize", "rounds": "minimize"}
    assert found.best == found.front[0]
    assert {t.state for t in found.trials} == {"complete"}
    assert found.members == (f"trial {found.best.number} on all rows, weight 1.00",)
    assert found.made[0]["rounds"] == found.best.facts["objective/rounds"]


def test_several_objectives_continue_where_they_stood(puzzle, home):
    words = ["search.objectives=[rounds]", "search/space=small"]
    whole, _ = searched(option("search.trials=8", *words), puzzle(), home / "a")
    searched(option("search.trials=5", *words), puzzle(), home / "b")
    more, _ = searched(option("search.trials=8", *words), puzzle(), home / "b")
    assert [t.params for t in more.trials] == [t.params for t in whole.trials]
    assert [t.number for t in more.front] == [t.number for t in whole.front]
    again, _ = searched(option("search.trials=8", *words), puzzle(), home / "b")
    assert (again.complete, again.front, again.digest) == (True, more.front, whole.digest)


def test_a_limit_is_kept_by_the_model_that_is_found(puzzle, home):
    free, _ = searched(option("search.trials=8"), puzzle(), home / "a", LightGBM(max_rounds=60))
    bytes_of = [t.facts["size_bytes"] for t in free.trials if t.files]
    bound = float(sorted(bytes_of)[1])
    words = ["search.trials=8", f"search.constraints=model_bytes <= {bound}"]
    found, _ = searched(option(*words), puzzle(), home / "b", LightGBM(max_rounds=60))
    assert found.kept
    assert found.best.facts["objective/model_bytes"] <= bound
    assert len(found.predictor.models) == 1
    none, _ = searched(option("search.trials=3", "search.constraints=model_bytes <= 1"), puzzle(), home / "c")
    assert not none.kept
    assert "no trial keeps model_bytes <= 1" in none.notes[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search=cmaes", "search.objectives=[rounds]"], r"`search\.sampler` cannot be used here"),
        (
            ["search.objectives=[latency]"],
            r"`search\.objectives` must name what can be measured, got 'latency': did you",
        ),
        (["search.constraints=[colour <= 3]"], "must name what can be measured, got 'colour': there are train_seconds"),
        (["~search.sampler", "+search.sampler={_target_:optuna.samplers.TPESampler,n_startup:3}"], "n_startup"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_trial(words, said, puzzle, home):
    with pytest.raises(ConfigError, match=said):
        searched(option("search.trials=2", *words), puzzle(), home / "s")
    assert not (home / "s" / "journal.log").exists()


FOREIGN = {
    "TPESampler": {"n_startup_trials": 2, "multivariate": True, "seed": 3},
    "RandomSampler": {},
    "BruteForceSampler": {},
    "QMCSampler": {},
    "NSGAIIISampler": {"population_size": 4},
    "PartialFixedSampler": {
        "fixed_params": {"num_leaves": 7},
        "base_sampler": {"_target_": "optuna.samplers.RandomSampler", "seed": 1},
    },
}


@pytest.mark.parametrize("name", FOREIGN)
def test_any_sampler_of_optuna_works_by_one_yaml(name, puzzle, home):
    folder = home / "conf" / "search"
    folder.mkdir(parents=True)
    sampler = {"_target_": f"optuna.samplers.{name}", **FOREIGN[name]}
    space = {"num_leaves": [7, 15, 31], "min_data_in_leaf": [5, 20]}
    defaults = ["_base", {"pruner": "none"}, "_self_"]
    (folder / "mine.yaml").write_text(yaml.safe_dump({"defaults": defaults, "sampler": sampler, "space": space}))
    one, other = option("search=mine", "search.trials=7"), option("search=mine", "search.trials=7")
    assert one.key == other.key
    found, _ = searched(one, puzzle(), home / "a")
    again, _ = searched(other, puzzle(), home / "b")
    assert [t.params for t in found.trials] == [t.params for t in again.trials]
    assert len({tuple(t.params.items()) for t in found.trials}) > 4
    if name == "PartialFixedSampler":
        assert {t.params["num_leaves"] for t in found.trials if "num_leaves" in t.params} >= {7}


@pytest.mark.parametrize(
    "pruner",
    [
        {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2},
        {"_target_": "optuna.pruners.ThresholdPruner", "upper": 0.6},
        {"_target_": "optuna.pruners.PatientPruner", "patience": 1,
         "wrapped_pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2}},
    ],
)  # fmt: skip
def test_any_pruner_of_optuna_works_by_one_yaml(pruner, puzzle, home):
    folder = home / "conf" / "search" / "pruner"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(yaml.safe_dump(pruner))
    words = ["search/pruner=mine", "search.trials=8"]
    assert option(*words).key == option(*words).key
    found, _ = searched(option(*words), puzzle(), home / "s", LightGBM(max_rounds=60))
    assert len(found.trials) == 8
    assert {t.state for t in found.trials} <= {"complete", "pruned"}
    text = str(option(*words).key["pruner"])
    (folder / "mine.yaml").write_text(yaml.safe_dump(pruner).replace("2", "5").replace("0.6", "0.7"))
    assert str(option(*words).key["pruner"]) != text
