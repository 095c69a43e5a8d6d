"""LightGBM trained over a whole Dask cluster, for tables whose training does not fit one machine."""

from __future__ import annotations

import logging
import re
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlparse

from pydantic import Field

from leaflab.errors import ModelError
from leaflab.model.base import Fitted, Fold, Problem
from leaflab.model.boosting import Course, Judge
from leaflab.model.lightgbm import LightGBM, LightGBMBench, Work
from leaflab.model.parameters import lightgbms
from leaflab.option import option

if TYPE_CHECKING:
    from leaflab.executor.base import Bench

__all__ = ["LightGBMDask"]

_FIRST = 10
_TICK = 0.01
_PATIENCE = 10
"""Minutes that workers wait for each other."""
_ARRAYS = ("matrix", "target", "weight")
_ADDRESSES = re.compile(r"^\[(machines|local_listen_port): .*\]\n", re.MULTILINE)
"""What a model's text says of the network, other each time."""
_BOOSTERS: dict[str, Any] = {}
"""A worker's boosters in progress."""


@option
class LightGBMDask(LightGBM):
    """Gradient-boosted trees whose rows are spread over the workers of `executor=dask`, one trial at a time.

    LightGBM's data-parallel training: every worker bins and keeps its share of the rows, and the workers exchange
    histograms. Between chunks of rounds the driver scores the validation rows, so early stopping, pruning and the
    deadline work as they do on one machine, to the chunk. The same number of workers gives the same trees; another
    number may not. A worker that is lost fails the trial. The final model is one booster.

    Args:
        chunk: rounds between two looks at the validation rows.
    """

    pairs: Literal[0] = 0
    chunk: Annotated[int, Field(ge=1)] = 50

    @property
    def blends(self) -> bool:
        return False

    def bench(self, problem: Problem, folds: Sequence[Fold], folder: Path, bins: str) -> Bench:
        from leaflab.model.binning import Store

        Store.write(folder, problem, folds, bins)
        return WideBench(folder, self, self._fixed(problem), problem.task, problem.metric, problem.score)


@dataclass(frozen=True)
class WideBench(LightGBMBench):
    """Trains boosters on the current client's cluster."""

    wide = True

    def run(self, job: Any, report: Callable[[Any], str]) -> Fitted:
        from leaflab.model.binning import store

        return self.worked(_WideWork(self, job, report, store(self.folder)))


class _WideWork(Work):
    """One job in progress, its boosters grown in chunks by all workers together."""

    def fit(self, number: int | None) -> None:
        from distributed import default_client

        self.meter.restart()
        train, valid = self.data.rows(number)
        sight = _Sight(Judge(self.bench.metric, self.bench.task), self.data, valid) if len(valid) else None
        course = Course()
        params = {**lightgbms(self.data_params), **self.params}
        party = _Party(default_client(), self.data, number, train, params)
        try:
            self.meter.lap("bin")
            booster = self._grown(party, course, sight)
        finally:
            party.part()
        self.meter.lap("fit")
        self._end(booster, course, number, judged=sight is not None)

    def _grown(self, party: _Party, course: Course, sight: _Sight | None) -> Any:
        """Chunk after chunk, until enough, told to stop, or out of time."""
        model: Any = self.bench.model
        limit, deadline = self.job.rounds or model.max_rounds, self.job.deadline
        chunk = model.chunk if deadline is None else min(_FIRST, model.chunk)
        while True:
            began, before = time.monotonic(), course.rounds
            booster, finished = party.grow(min(chunk, limit - before))
            course.rounds = booster.current_iteration()
            if sight is None:
                course.best_round = course.rounds
            elif self._looked(course, sight, booster, before):
                break
            if finished or course.rounds >= limit:
                break
            if deadline is not None:
                pace = (time.monotonic() - began) / max(1, course.rounds - before)
                chunk = min(model.chunk, int((deadline - time.monotonic()) / pace))
                if chunk < 1:
                    course.state = "deadline"
                    break
        return booster

    def _looked(self, course: Course, sight: _Sight, booster: Any, before: int) -> bool:
        """Scores the new rounds; true where it is time to stop."""
        for number, value in sight.values(booster, before):
            course.curve.append((number, value))
            loss = sight.judge.sign * value
            if loss < course.best:
                course.best, course.best_round = loss, number
            if told := self._told(number, value):
                course.state = told
                return True
        return course.rounds - course.best_round >= self._patience


class _Party:
    """The workers that grow one booster together, each on its share of a fold's rows.

    A worker's rank in LightGBM's network is its place in the sorted list of addresses, and its share follows from the
    rank, so that the same fit gives the same model.
    """

    def __init__(self, client: Any, data: Any, number: int | None, rows: Any, params: dict[str, Any]) -> None:
        self._client, self._key = client, uuid.uuid4().hex
        self._workers = sorted(_present(client))
        count = len(self._workers)
        edges = [len(rows) * i // count for i in range(count + 1)]
        ports = client.run(_free_port, workers=self._workers)
        machines = ",".join(f"{urlparse(w).hostname}:{ports[w]}" for w in self._workers)
        network = {"machines": machines, "num_machines": count, "tree_learner": "data", "time_out": _PATIENCE}
        seen = all(client.run(_sees, str(data.folder), workers=self._workers).values())
        jobs = []
        for worker, (low, high) in zip(self._workers, pairwise(edges), strict=True):
            share: Any = (str(data.folder), number, low, high)
            if not seen:
                own = rows[low:high]
                arrays = {name: data.array(name)[own] for name in _ARRAYS if data.array(name) is not None}
                share = client.scatter((data.facts, arrays), workers=[worker], hash=False)
            threads = client.nthreads()[worker]
            own_params = {**params, **network, "local_listen_port": ports[worker], "num_threads": threads}
            jobs.append((worker, (_join, self._key, share, own_params)))
        self._together(jobs)

    def grow(self, rounds: int) -> tuple[Any, bool]:
        """The booster with so many rounds more, and whether no tree can be added."""
        import lightgbm as lgb

        answers = self._together([(worker, (_grow, self._key, rounds)) for worker in self._workers])
        text, finished = answers[0]
        return lgb.Booster(model_str=_ADDRESSES.sub("", text)), finished

    def part(self) -> None:
        """Workers forget the booster and leave the network."""
        here = sorted(set(self._workers) & _present(self._client))
        self._client.run(_leave, self._key, workers=here, on_error="ignore")

    def _together(self, jobs: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Answers of all workers; each waits for the others, so that one that is lost ends the work of all."""
        futures = [
            self._client.submit(*job, workers=[worker], allow_other_workers=False, pure=False, retries=0)
            for worker, job in jobs
        ]
        while not all(future.done() for future in futures):
            wrong = [future.exception() for future in futures if future.status == "error"]
            if wrong or set(self._workers) - _present(self._client):
                self._client.cancel(futures, force=True)
                left = sorted(set(self._workers) & _present(self._client))
                self._client.restart_workers(left, raise_for_error=False)  # they hold half a network
                why = f"failed on a worker ({wrong[0]})" if wrong else "lost a worker of the cluster"
                raise ModelError("The training over the cluster", why)
            time.sleep(_TICK)
        answers: list[Any] = self._client.gather(futures)
        return answers


class _Sight:
    """The metric on the validation rows, round by round, from the new trees alone."""

    def __init__(self, judge: Judge, data: Any, rows: Any) -> None:
        self.judge = judge
        self._matrix, self._target = data.matrix[rows], data.target[rows]
        self._weight = None if data.weight is None else data.weight[rows]
        self._raw: Any = 0.0

    def values(self, booster: Any, before: int) -> list[tuple[int, float]]:
        """(round, metric) of every round after `before`."""
        found = []
        for number in range(before, booster.current_iteration()):
            self._raw = self._raw + booster.predict(
                self._matrix, raw_score=True, start_iteration=number, num_iteration=1
            )
            scores = _answers(booster, self._raw, self.judge.task)
            found.append((number + 1, float(self.judge.metric.score(self._target, scores, self._weight))))
        return found


def _answers(booster: Any, raw: Any, task: str) -> Any:
    """What the model answers for raw scores, shaped as metrics want it."""
    import numpy as np

    if task == "binary":
        positive = 1.0 / (1.0 + np.exp(-raw))
        return np.column_stack([1.0 - positive, positive])
    if task == "multiclass":
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)
    linked = booster.dump_model(num_iteration=0)["objective"].split()[0] in ("poisson", "gamma", "tweedie")
    return np.exp(raw) if linked else raw


def _present(client: Any) -> set[str]:
    return set(client.nthreads())


# What follows runs on the workers.


def _sees(folder: str) -> bool:
    return (Path(folder) / "store.json").is_file()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _quiet() -> logging.Logger:
    """LightGBM tells of every port it tries, whatever its verbosity."""
    logger = logging.getLogger("leaflab.lightgbm")
    logger.setLevel(logging.ERROR)
    return logger


def _join(key: str, share: Any, params: dict[str, Any]) -> None:
    """Bins a worker's rows together with the others, and keeps the booster for the chunks to come."""
    import lightgbm as lgb
    import numpy as np

    from leaflab.model.binning import Store

    lgb.register_logger(_quiet())
    if len(share) == 2:
        facts, arrays = share
    else:
        folder, number, low, high = share
        data = Store(Path(folder))
        rows = data.rows(number)[0][low:high]
        kept = {name: data.array(name) for name in _ARRAYS}
        facts = data.facts
        arrays = {name: np.ascontiguousarray(array[rows]) for name, array in kept.items() if array is not None}
    binned = lgb.Dataset(
        arrays["matrix"],
        label=arrays["target"],
        weight=arrays.get("weight"),
        feature_name=facts["names"],
        categorical_feature=facts["categorical"],
        params=params,
    )
    _BOOSTERS[key] = lgb.Booster({**params, "metric": "None"}, binned)


def _grow(key: str, rounds: int) -> tuple[str, bool]:
    booster = _BOOSTERS[key]
    finished = any(booster.update() for _ in range(rounds))
    return booster.model_to_string(), finished


def _leave(key: str) -> None:
    booster = _BOOSTERS.pop(key, None)
    if booster is not None:
        booster.free_network()
