"""Every option of `conf/model` keeps the contract of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leaflab.door.compose import lab_for
from leaflab.errors import ConfigError
from leaflab.search.base import Fit
from leaflab.search.space import distributions, reach
from leaflab.search.validation import folds

OPTIONS = sorted(p.stem for p in (Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))
IN_PROCESS = [name for name in OPTIONS if name != "lightgbm_dask"]


@pytest.fixture(params=IN_PROCESS)
def model(request, home):
    return lab_for("sweep", [f"model={request.param}", "name=x"]).model


def fitted(model, problem, folder, params=None, numbers=(0,), rounds=None):
    bench = model.bench(problem, folds(problem, "kfold", 3, 0), folder / "store", "shared")
    fit = Fit("", params or {}, numbers, 7, folder / "trial", rounds=rounds)
    return bench.run(fit, lambda report: "")


def predictor(model, result):
    texts = [path.read_text() for path in result.models]
    return model.predictor(texts, [1 / len(texts)] * len(texts))


def test_there_are_options_to_check():
    assert len(OPTIONS) >= 3


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("weight", [False, True])
def test_a_fit_scores_as_its_predictor_does(model, puzzle, tmp_path, task, weight):
    problem = puzzle(task, weight=weight)
    result = fitted(model, problem, tmp_path)
    rows = folds(problem, "kfold", 3, 0)[0][1]
    scores = predictor(model, result).predict(problem.matrix[rows])
    assert result.state == "complete"
    assert scores == pytest.approx(np.load(result.scores[0]), rel=1e-12, abs=1e-15)
    assert scores.shape == ((len(rows),) if task == "regression" else (len(rows), problem.outputs))
    held = None if problem.weight is None else problem.weight[rows]
    assert result.value == pytest.approx(problem.metric.score(problem.target[rows], scores, held))
    assert result.metrics[problem.metric.name] == pytest.approx(result.value)


def test_the_same_fit_gives_the_same_model(model, puzzle, tmp_path):
    texts = [fitted(model, puzzle(), tmp_path / name).models[0].read_text() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_all_rows_and_several_folds_can_be_learnt(model, puzzle, tmp_path):
    whole = fitted(model, puzzle(), tmp_path / "all", numbers=(None,), rounds=5)
    assert whole.value is None
    assert len(whole.models) == 1
    three = fitted(model, puzzle(), tmp_path / "three", numbers=(0, 1, 2))
    assert len(three.models) == len(three.scores) == len(three.values) == 3
    assert three.value == pytest.approx(np.mean(three.values))


def test_tiny_data_can_be_learnt(model, puzzle, tmp_path):
    assert fitted(model, puzzle("multiclass", rows=30), tmp_path).value is not None


def test_an_unknown_parameter_is_refused_by_name(model, puzzle):
    with pytest.raises(ConfigError, match="num_leavs"):
        model.check(puzzle(), {"num_leavs": [7]})


def test_what_it_tries_first_it_knows(model, puzzle):
    for params in model.portfolio(puzzle()):
        model.check(puzzle(), {name: [value] for name, value in params.items()})
    model.check(puzzle(), reach(*distributions(model.space(puzzle(), {}))))
