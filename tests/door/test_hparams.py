"""Search files as people have them are read as they are."""

from __future__ import annotations

import logging

import pytest

from leaflab.door.compose import lab_for
from leaflab.door.hparams import expanded
from leaflab.errors import ConfigError
from leaflab.search.space import distributions, reach

TEMPLATE = """\
# @package _global_

defaults:
  - override /hydra/sweeper: optuna

optimized_metric: "val/acc_best"

hydra:
  mode: "MULTIRUN"
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: sqlite:///example.db
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 20
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
      n_startup_trials: 10
    params:
      model.learning_rate: tag(log, interval(0.0001, 0.1))
      model.num_leaves: interval(4, 64)
      model.params.min_child_samples: range(5, 60, step=5)
      model.n_estimators: choice(100, 200)
      ++model.boosting: gbdt, dart
"""

PLAIN = """\
n_trials: 7
direction: minimize
sampler:
  _target_: optuna.samplers.RandomSampler
  seed: 1
params:
  num_leaves: int(tag(log, interval(4, 64)))
  extra_trees: choice(true, false)
"""

OLD = """\
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: nsgaii
hydra:
  sweeper:
    n_trials: 5
    search_space:
      lambda_l2: {type: float, low: 0.001, high: 10.0, log: true}
      max_bin: {type: categorical, choices: [63, 255]}
"""


@pytest.fixture
def file(home):
    def write(text, name="mine.yaml"):
        path = home / "conf" / "hparams_search" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def searched(*words):
    return lab_for("sweep", ["name=x", *words])


def test_the_template_of_lightning_and_hydra_is_taken_as_it_is(file, caplog):
    file(TEMPLATE)
    with caplog.at_level(logging.INFO):
        lab = searched("hparams_search=mine")
    assert (lab.search.trials, lab.search.seconds) == (20, None)
    assert lab.search.space == {
        "learning_rate": "tag(log, interval(0.0001, 0.1))",
        "num_leaves": "interval(4, 64)",
        "min_child_samples": "range(5, 60, step=5)",
        "boosting": "choice(gbdt, dart)",
    }
    assert lab.search.key["sampler"] == {"TPESampler": {"n_startup_trials": 10}}
    assert type(lab.metric).__name__ == "Accuracy"
    assert "n_estimators is left out: rounds end by early stopping" in caplog.text
    assert "not used, because a sweep has its own: storage" in caplog.text


def test_keys_at_the_top_and_a_path_work_too(file):
    lab = searched(f"hparams_search={file(PLAIN)}")
    assert (lab.search.trials, lab.search.key["sampler"]) == (7, "Random()")
    assert set(lab.search.space) == {"num_leaves", "extra_trees"}


def test_the_older_form_and_a_sampler_of_the_defaults_list_work_too(file):
    file(OLD)
    lab = searched("hparams_search=mine")
    assert lab.search.key["sampler"].startswith("Nsga2(")
    assert lab.search.space["max_bin"] == {"type": "categorical", "choices": [63, 255]}


def test_what_is_typed_wins(file):
    file(TEMPLATE)
    lab = searched("hparams_search=mine", "search.seconds=9", "search=random", "metric=roc_auc")
    assert (lab.search.trials, lab.search.seconds, lab.search.key["sampler"]) == (None, 9, "Random()")
    assert type(lab.metric).__name__ == "RocAuc"


@pytest.mark.parametrize(
    ("text", "said"),
    [("n_trials: 3\n", "has no params to search"), ("- a\n", "must be a mapping"), ("a: [", "is no YAML")],
)
def test_a_file_that_is_none_is_refused(text, said, file):
    path = file(text)
    with pytest.raises(ConfigError, match=said):
        expanded([f"hparams_search={path}"])


def test_a_missing_file_is_refused(home):
    with pytest.raises(ConfigError, match="`hparams_search` must name a file, got 'nothing'"):
        searched("hparams_search=nothing")


def test_an_unknown_parameter_of_a_file_is_named(file, puzzle, home):
    file(PLAIN.replace("num_leaves", "model.num_leavs"))
    lab = searched("hparams_search=mine")
    with pytest.raises(ConfigError, match="`num_leavs` is no LightGBM parameter: did you mean num_leaves"):
        lab.model.check(puzzle(), reach(*distributions(lab.search.space)))
