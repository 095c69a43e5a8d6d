"""LightGBM at work on the binned data of a folder: boosters grown, judged and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.model.base import Fitted
from leaflab.model.meter import Meter
from leaflab.model.parameters import divided, lightgbms

if TYPE_CHECKING:
    from leaflab.model.boosting import Course, Judge
    from leaflab.model.lightgbm import LightGBM

__all__ = ["LightGBMBench", "Work"]

_TIMED = 500


@dataclass(frozen=True)
class LightGBMBench:
    """Trains boosters on the binned data of a folder."""

    folder: Path
    model: LightGBM
    fixed: Mapping[str, Any]
    task: str
    metric: Any
    score: Callable[..., dict[str, float]]

    def run(self, job: Any, report: Callable[[Any], str]) -> Fitted:
        """Fits the folds of a job one after the other (`leaflab.search.base.Fit` says what a job holds)."""
        from leaflab.model.binning import store

        work = Work(self, job, report, store(self.folder))
        if work.data.late(work.data_params, job.deadline):
            work.state = "pruned"
            work.meter.lap("bin")
        for share in job.shares:
            if work.state == "complete":
                work.rung(share)
        return self.worked(work) if work.state == "complete" else work.fitted()

    def worked(self, work: Work) -> Fitted:
        """What comes of a job whose boosters are grown by `work`."""
        for number in work.job.folds:
            work.fit(number)
            if work.state == "complete" and work.values:
                work.state = work.report(("folds", len(work.values), work.values[-1])) or "complete"
            if work.state != "complete":
                break
        return work.fitted()


class Work:
    """One job in progress."""

    def __init__(self, bench: LightGBMBench, job: Any, report: Callable[[Any], str], data: Any) -> None:
        self.bench, self.job, self.data, self.report = bench, job, data, report
        self.state = "complete"
        self.meter = Meter()
        self.train: dict[str, float] = {}
        self.values: list[float] = []
        self.rounds: list[int] = []
        self.curve: list[tuple[int, float]] = []
        self.models: list[Path] = []
        self.scores: list[Path] = []
        self.judged: list[tuple[Any, Any]] = []
        self.bytes = self.grown = self.answered = 0
        self.answering = 0.0
        self.data_params, self.params = divided({**bench.fixed, **job.params})
        self.params |= {"seed": job.seed, "num_threads": job.threads}

    def fit(self, number: int | None) -> None:
        """Grows a fold's booster and keeps it."""
        booster, judge, course = self._boosted(number)
        self.meter.lap("fit")
        if judge and judge.native and course.state in ("complete", "deadline"):
            self.train[f"train/{judge.metric.name}"] = float(booster.eval_train()[0][2])
        self._end(booster, course, number, judged=judge is not None)

    def rung(self, share: float) -> None:
        """Grows a booster on a share of the rows; kept only where the trial goes no further."""
        number = self.job.folds[0]
        booster, judge, course = self._boosted(number, share)
        self.meter.lap("rung")
        if judge and course.state == "complete":
            step = round(share / self.job.shares[0])
            course.state = self.report(("rows", step, judge.sign * course.best)) or "complete"
        if course.state != "complete":
            self._end(booster, course, number, judged=judge is not None)

    def _boosted(self, number: int | None, share: float = 1.0) -> tuple[Any, Judge | None, Course]:
        import lightgbm as lgb

        from leaflab.model.boosting import Judge, grow

        self.meter.restart()
        train, valid = self.data.datasets(self.data_params, number, share)
        judge = Judge(self.bench.metric, self.bench.task) if valid is not None else None
        metric = (judge.native or "None") if judge else "None"
        booster = lgb.Booster({**lightgbms(self.data_params), **self.params, "metric": metric}, train)
        if judge:
            booster.add_valid(valid, "valid")
        self.meter.lap("bin")
        rounds = self.job.rounds or self.bench.model.max_rounds
        end = self.job.deadline
        course = grow(booster, judge, rounds=rounds, patience=self._patience, deadline=end, report=self._told)
        return booster, judge, course

    def _end(self, booster: Any, course: Course, number: int | None, *, judged: bool) -> None:
        self.state = course.state
        self.curve = self.curve or course.curve
        self.rounds.append(course.best_round)
        self.grown += course.rounds
        if self.state not in ("complete", "deadline") or (self.state == "deadline" and not judged):
            self.values += [course.curve[-1][1]] if course.curve else []
            if self.state == "pruned":
                self._write(booster, number, course.best_round)
            return
        self._keep(booster, course, number)
        self.meter.lap("predict")

    def _write(self, booster: Any, number: int | None, rounds: int) -> Path:
        """Writes the booster as text; returns where its scores go."""
        folder = Path(self.job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = booster.model_to_string(num_iteration=rounds).encode()
        self.bytes += len(text)
        name = "all" if number is None else str(number)
        self.models.append(folder / f"booster-{name}.txt")
        self.models[-1].write_bytes(text)
        return folder / f"scores-{name}.npy"

    def _keep(self, booster: Any, course: Course, number: int | None) -> None:
        import numpy as np

        file = self._write(booster, number, course.best_round)
        rows = self.data.rows(number)[1]
        if not len(rows):
            return
        scores = None if self.params.get("boosting") == "dart" else course.scores  # its later trees change earlier ones
        asked = self.data.seen(self.data_params)[rows if scores is None else rows[:_TIMED]]
        clock = time.monotonic()
        answer = booster.predict(asked, num_iteration=course.best_round, num_threads=self.job.threads)
        self.answering += time.monotonic() - clock
        self.answered += len(asked)
        scores = np.asarray(answer) if scores is None else scores
        if self.bench.task == "binary":
            scores = np.column_stack([1.0 - scores, scores])
        weight = None if self.data.weight is None else self.data.weight[rows]
        self.values.append(self.bench.metric.score(np.asarray(self.data.target[rows]), scores, weight))
        self.judged.append((rows, scores))
        self.scores.append(file)
        np.save(file, scores)

    def _told(self, number: int, value: float) -> str:
        """Reports at equal steps of progress (rounds x learning rate), so that slow learners are judged fairly."""
        pace = float(self.params.get("learning_rate", 0.1))
        step = int(number * pace)
        if step == int((number - 1) * pace):
            return ""
        return self.report(("more rounds" if self.rounds else "rounds", step, value))

    @property
    def _patience(self) -> int:
        asked = self.bench.model.patience
        rate = float(self.params.get("learning_rate", 0.1))
        return asked if asked != "auto" else int(min(200, max(30, round(4 / rate))))

    def fitted(self) -> Fitted:
        import numpy as np

        from leaflab.model.boosting import thinned

        value = float(np.mean(self.values)) if self.values else None
        facts = {
            **self.meter.facts,
            **self.meter.totals,
            **self.train,
            "best_iteration": float(np.mean(self.rounds)) if self.rounds else 0.0,
            "rounds": float(self.grown),
        }
        facts |= {"size_bytes": float(self.bytes)} if self.models else {}
        if self.answered:
            facts["predict_ms_per_1k_rows"] = self.answering * 1e6 / self.answered
        return Fitted(self.state, value, tuple(self.values), tuple(self.rounds), self._metrics(), thinned(self.curve),
                      facts, tuple(self.models), tuple(self.scores))  # fmt: skip

    def _metrics(self) -> dict[str, float]:
        import numpy as np

        if not self.judged:
            return {}
        rows = np.concatenate([r for r, _ in self.judged])
        scores = np.concatenate([s for _, s in self.judged])
        weight = None if self.data.weight is None else self.data.weight[rows]
        return self.bench.score(self.bench.task, np.asarray(self.data.target[rows]), scores, weight)
