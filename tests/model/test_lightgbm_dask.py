"""LightGBM over a real cluster of processes."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("distributed")

from leaflab.errors import ConfigError
from leaflab.executor.dask import Dask
from leaflab.executor.inline import Inline
from leaflab.executor.local import Local
from leaflab.model.lightgbm import LightGBM
from leaflab.model.lightgbm_dask import LightGBMDask
from leaflab.search.base import Fit
from leaflab.search.benches import Benches
from leaflab.search.validation import folds

pytestmark = pytest.mark.filterwarnings("ignore")


def bench(model, problem, folder):
    return Benches({"": model.bench(problem, folds(problem, "kfold", 3, 0), folder / "store", "shared")}, folder)


def done(pool, fit, decide=lambda number, report: ""):
    pool.submit(0, fit)
    events = []
    while not events:
        events = pool.events(1.0, decide)
    assert events[0].kind == "done", events[0].error
    return events[0].result


def predicted(model, result, matrix):
    return model.predictor([path.read_text() for path in result.models], [1.0]).predict(matrix)


@pytest.mark.parametrize("executor", [Local(workers=1), Inline()])
def test_without_a_cluster_it_is_refused_before_any_trial(executor, puzzle, tmp_path):
    with pytest.raises(ConfigError, match="trains on a Dask cluster: add executor=dask"):
        executor.open(bench(LightGBMDask(), puzzle(), tmp_path), 200)


def test_only_lightgbms_own_parameters_reach_its_boosters(puzzle, tmp_path, monkeypatch):
    """A warm start may hand over what a sweep on one machine found, `pairs` among it."""
    given = {}

    def party(client, data, number, rows, params):
        given.update(params)
        raise InterruptedError

    monkeypatch.setattr("distributed.default_client", lambda: None)
    monkeypatch.setattr("leaflab.model.lightgbm_dask._Party", party)
    problem = puzzle("regression", rows=100)
    alone = LightGBMDask().bench(problem, folds(problem, "kfold", 3, 0), tmp_path / "store", "shared")
    with pytest.raises(InterruptedError):
        alone.run(Fit("", {"pairs": True, "max_bin": 63}, (0,), 7, tmp_path / "w"), lambda report: "")
    assert given["max_bin"] == 63
    assert "pairs" not in given


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_rows_spread_over_workers_give_the_model_of_one_machine(puzzle, tmp_path, task):
    """Each worker bins its share of the columns from its own rows, so the trees are alike, not the same."""
    problem = puzzle(task, rows=600, weight=True)
    rows = folds(problem, "kfold", 3, 0)[0][1]
    wide = LightGBMDask(max_rounds=20, chunk=8)
    params = {"learning_rate": 0.2, "min_data_in_leaf": 5}
    told = []
    with Dask(workers=2).open(bench(wide, problem, tmp_path / "wide"), 600) as pool:
        assert pool.size == 1
        result = done(pool, Fit("", params, (0,), 7, tmp_path / "w"), lambda n, report: told.append(report) or "")
        again = done(pool, Fit("", params, (0,), 7, tmp_path / "again"))
        whole = done(pool, Fit("", params, (None,), 7, tmp_path / "all", rounds=11))
    one = LightGBM(max_rounds=20)
    with Inline().open(bench(one, problem, tmp_path / "one"), 600) as pool:
        alone = done(pool, Fit("", params, (0,), 7, tmp_path / "o"))
    assert result.models[0].read_text() == again.models[0].read_text()
    assert result.value == pytest.approx(alone.value, rel=0.25)
    scores = predicted(wide, result, problem.matrix[rows])
    assert np.load(result.scores[0]) == pytest.approx(scores)
    held = problem.weight[rows]
    assert result.value == pytest.approx(problem.metric.score(problem.target[rows], scores, held))
    assert dict(result.curve)[result.rounds[0]] == pytest.approx(result.value, rel=1e-4)
    assert [kind for kind, *_ in told].count("rounds") >= 3
    assert whole.models[0].read_text().count("Tree=") == 11 * problem.outputs ** (task == "multiclass")


@pytest.mark.slow
def test_a_trial_is_stopped_between_chunks(puzzle, tmp_path):
    problem = puzzle("regression", rows=400)
    with Dask(workers=2).open(bench(LightGBMDask(chunk=5), problem, tmp_path), 400) as pool:
        pruned = done(pool, Fit("", {}, (0,), 7, tmp_path / "p"), lambda number, report: "pruned")
        cut = done(pool, Fit("", {}, (0,), 7, tmp_path / "d", deadline=time.monotonic() + 0.01))
        whole = done(pool, Fit("", {}, (None,), 7, tmp_path / "w", rounds=500), lambda number, report: "deadline")
    assert (pruned.state, len(pruned.models)) == ("pruned", 1)
    assert (cut.state, len(cut.models)) == ("deadline", 1)
    assert (whole.state, len(whole.models)) == ("deadline", 0)
    assert whole.facts["rounds"] <= 20


@pytest.mark.slow
def test_a_slow_cluster_grows_shorter_chunks(puzzle, tmp_path, monkeypatch):
    """What hears a stop only between chunks must not be long in one."""
    from leaflab.model import lightgbm_dask

    asked = []
    party = lightgbm_dask._Party

    class Slow(party):
        def grow(self, rounds):
            asked.append(rounds)
            time.sleep(0.5 * rounds)
            return super().grow(rounds)

    monkeypatch.setattr(lightgbm_dask, "_Party", Slow)
    problem = puzzle("regression", rows=400)
    with Dask(workers=2).open(bench(LightGBMDask(max_rounds=12), problem, tmp_path), 400) as pool:
        done(pool, Fit("", {"learning_rate": 0.01}, (0,), 7, tmp_path / "t"))
    assert sum(asked) == 12
    assert max(asked) <= 4


@pytest.mark.slow
def test_workers_print_nothing_of_their_network(puzzle, tmp_path, capfd):
    problem = puzzle("regression", rows=400)
    with Dask(workers=2).open(bench(LightGBMDask(max_rounds=5), problem, tmp_path), 400) as pool:
        done(pool, Fit("", {}, (0,), 7, tmp_path / "t"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_worker_that_is_killed_fails_the_trial_and_the_next_one_runs(puzzle, tmp_path):
    import os
    import signal

    problem = puzzle("regression", rows=400)
    with Dask(workers=2).open(bench(LightGBMDask(max_rounds=200, chunk=5), problem, tmp_path), 400) as pool:
        pids = list(pool._client.run(os.getpid).values())

        def struck(number, report):
            if pids:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()
            return ""

        pool.submit(0, Fit("", {"learning_rate": 1.0}, (0,), 7, tmp_path / "struck"))
        (event,) = pool.events(1.0, struck)
        assert event.kind == "failed"
        assert "lost a worker of the cluster" in event.error
        assert done(pool, Fit("", {"learning_rate": 1.0}, (0,), 7, tmp_path / "next")).models
