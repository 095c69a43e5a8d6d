"""LightGBM trained over a whole Dask cluster, for tables whose training does not fit one machine."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlparse

from pydantic import Field

from leaflab.errors import ModelError
from leaflab.model import networked
from leaflab.model.base import Fitted, Fold, Problem
from leaflab.model.boosting import Course, Judge
from leaflab.model.lightgbm import LightGBM
from leaflab.model.parameters import lightgbms
from leaflab.model.work import LightGBMBench, Work
from leaflab.option import option

if TYPE_CHECKING:
    from pathlib import Path

    from leaflab.executor.base import Bench

__all__ = ["LightGBMDask"]

_LONGEST = 2.0
"""Seconds of a chunk at most: only between chunks is a stop heard."""
_TICK = 0.01
_PATIENCE = 10
"""Minutes that workers wait for each other."""
_ADDRESSES = re.compile(r"^\[(machines|local_listen_port): .*\]\n", re.MULTILINE)
"""What a model's text says of the network, other each time."""


@option
class LightGBMDask(LightGBM):
    """Gradient-boosted trees whose rows are spread over the workers of `executor=dask`, one trial at a time.

    LightGBM's data-parallel training: every worker bins and keeps its share of the rows, and the workers exchange
    histograms. Between chunks of rounds the driver scores the validation rows, so early stopping, pruning and the
    deadline work as they do on one machine, to the chunk. The same number of workers gives the same trees; another
    number may not. A worker that is lost fails the trial. The final model is one booster.

    Args:
        chunk: rounds between two looks at the validation rows at most; fewer where they would take over two seconds.
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
        limit, chunk = self.job.rounds or model.max_rounds, 1
        end = float("inf") if self.job.deadline is None else self.job.deadline
        while True:
            began, before = time.monotonic(), course.rounds
            booster, finished = party.grow(min(chunk, limit - before))
            course.rounds = booster.current_iteration()
            if self._looked(course, sight, booster, before) or finished or course.rounds >= limit:
                break
            pace, left = (time.monotonic() - began) / max(1, course.rounds - before), end - time.monotonic()
            if left < pace:
                course.state = "deadline"
                break
            chunk = max(1, min(model.chunk, int(min(left, _LONGEST) / pace)))
        return booster

    def _looked(self, course: Course, sight: _Sight | None, booster: Any, before: int) -> bool:
        """Scores the new rounds; true where it is time to stop. Without rows to score, the driver may say so still."""
        if sight is None:
            course.best_round = course.rounds
            if told := self.report(("rounds", course.rounds, float("nan"))):
                course.state = told
            return bool(told)
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
        ports = client.run(networked.free_port, workers=self._workers)
        machines = ",".join(f"{urlparse(w).hostname}:{ports[w]}" for w in self._workers)
        network = {"machines": machines, "num_machines": count, "tree_learner": "data", "time_out": _PATIENCE}
        seen = all(client.run(networked.sees, str(data.folder), workers=self._workers).values())
        jobs = []
        for worker, (low, high) in zip(self._workers, pairwise(edges), strict=True):
            share: Any = (str(data.folder), number, low, high)
            if not seen:
                own = rows[low:high]
                arrays = {name: data.array(name)[own] for name in networked.ARRAYS if data.array(name) is not None}
                share = client.scatter((data.facts, arrays), workers=[worker], hash=False)
            threads = client.nthreads()[worker]
            own_params = {**params, **network, "local_listen_port": ports[worker], "num_threads": threads}
            jobs.append((worker, (networked.join, self._key, share, own_params)))
        self._together(jobs)

    def grow(self, rounds: int) -> tuple[Any, bool]:
        """The booster with so many rounds more, and whether no tree can be added."""
        import lightgbm as lgb

        answers = self._together(
            [(worker, (networked.grow, self._key, rounds, worker == self._workers[0])) for worker in self._workers]
        )
        text, finished = answers[0]
        return lgb.Booster(model_str=_ADDRESSES.sub("", text)), finished

    def part(self) -> None:
        """Workers forget the booster and leave the network."""
        here = sorted(set(self._workers) & _present(self._client))
        self._client.run(networked.leave, self._key, workers=here, on_error="ignore")

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
