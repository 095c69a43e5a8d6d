"""The driver's loop: trials go to workers, results come back, the study is asked and told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.search.base import Fit
from leaflab.search.study import seed_of
from leaflab.values import Trial

if TYPE_CHECKING:
    from leaflab.executor.base import Event, Pool
    from leaflab.search.base import Place
    from leaflab.search.budget import Budget
    from leaflab.search.stopping import Stopping
    from leaflab.search.study import Study

__all__ = ["Driver", "comparable", "counts", "folds_of", "trial_of"]

_log = logging.getLogger(__name__)
_TICK = 0.25
_CUT = 0.8
_HOPELESS = 5


@dataclass
class Driver:
    """Runs trials until the budget says that the rest of the time belongs to the final model.

    Args:
        study, pool, budget, stopping, place: what it drives with.
        folds: folds of a trial.
        by: what the pruner judges: "rounds", "rows" or "folds".
        reserve: seconds the final model needs, from the trials so far.
        generation: trials that are asked together and told in order of their number, so that timing changes nothing;
            0 asks whenever a worker is free.
        shares: shares of the training rows that a trial is judged on before all of them.
        measured: adds to a trial what its objectives ask for.
    """

    study: Study
    pool: Pool
    budget: Budget
    stopping: Stopping
    place: Place
    folds: tuple[int, ...]
    by: str
    reserve: Callable[[list[Trial]], float]
    generation: int = 0
    done: list[Trial] = field(default_factory=list)
    shares: tuple[float, ...] = ()
    measured: Callable[[Trial], Trial] = lambda trial: trial
    _running: dict[int, tuple[Fit, float]] = field(default_factory=dict)
    _parked: list[Trial] = field(default_factory=list)

    def run(self) -> None:
        """Leaves every finished trial in `done`."""
        again = self.study.interrupted()
        while True:
            self._fill(again)
            if not self._running:
                break
            for event in self.pool.events(_TICK, self._decide):
                self._ended(event)
            if self._parked and not self._running:
                self._tell(sorted(self._parked, key=lambda t: t.number))
                self._parked.clear()

    def _fill(self, again: list[tuple[int, dict[str, Any]]]) -> None:
        """Gives free workers the interrupted trials, then new ones; in order: a whole generation at once."""
        if self.generation and self._running:
            return
        while len(self._running) < (self.generation or self.pool.size) and not self.stopping.asked:
            if again:
                self._start(*again.pop(0))
            elif self._more():
                self._start(*self.study.ask())
            else:
                break

    def _more(self) -> bool:
        """Whether another trial may start; where nothing but failures came back, there is no point."""
        if len(self.done) >= _HOPELESS and all(t.state == "failed" for t in self.done):
            return False
        if self.budget.reached(len(self.done) + len(self._running)) or self.study.exhausted:
            return False
        return self.budget.seconds is None or not self.done or self.budget.left > self.reserve(self.done)

    def _start(self, number: int, params: Mapping[str, Any]) -> None:
        fit = Fit(
            model="",
            params=params,
            folds=self.folds,
            seed=seed_of(self.place.seed, number),
            folder=self.place.trial(number),
            threads=self.pool.threads,
            deadline=self.budget.end,
            shares=self.shares,
        )
        self._running[number] = (fit, time.time())
        self.pool.submit(number, fit)

    def _decide(self, number: int, report: Any) -> str:
        """A trial ends early when pruned, when the final model needs the time, or when the user wants an end.

        Without any finished trial there would be no model, so the first one is cut instead of dropped.
        """
        kind, step, value = report
        if self.stopping.asked:
            return "deadline" if self._first else "stopped"
        if self.budget.seconds is not None and not self._first and self.budget.left < _CUT * self.reserve(self.done):
            return "deadline"
        return "pruned" if kind == self.by and self.study.pruned(number, int(step), float(value)) else ""

    @property
    def _first(self) -> bool:
        """Whether no trial has left a model yet."""
        return not any(counts(t) for t in self.done)

    def _ended(self, event: Event) -> None:
        fit, started = self._running.pop(event.number)
        if event.kind == "done" and event.result.state == "stopped":
            return
        event.must_have_had_room()
        trial = trial_of(event, fit, started)
        if trial.state == "deadline" and folds_of(trial) < len(fit.folds) and not self._first:
            trial = replace(trial, state="pruned")
        trial = self.measured(trial)
        if self.generation:
            self._parked.append(trial)
        else:
            self._tell([trial])

    def _tell(self, trials: list[Trial]) -> None:
        """A generation is told whole: after a crash, the half of one would be drawn and pruned by other rules."""
        self.study.remember(spent=self.budget.used)
        self.study.tell(*trials)
        for trial in trials:
            self.done.append(trial)
            self.place.watch(trial)
            if trial.state == "failed":
                _log.info("Trial %d failed: %s", trial.number, trial.error.strip().splitlines()[-1])


def counts(trial: Trial) -> bool:
    """Whether a trial's model may become the final one."""
    return trial.state in ("complete", "deadline") and trial.value is not None and trial.files is not None


def folds_of(trial: Trial) -> int:
    """The folds it was judged on."""
    return sum(key.startswith("fold/") for key in trial.facts)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """Those judged on as many folds as any: one that was cut between its folds is no match for whole ones."""
    most = max((folds_of(t) for t in trials if counts(t)), default=0)
    return [t for t in trials if not counts(t) or folds_of(t) == most]


def trial_of(event: Event, fit: Fit, started: float) -> Trial:
    """A job's end as the study keeps it."""
    seconds = time.time() - started
    base: dict[str, Any] = {
        "number": event.number,
        "params": dict(fit.params),
        "started": started,
        "seconds": seconds,
        "seed": fit.seed,
    }
    if event.kind != "done":
        return Trial(state="failed", value=None, error=event.error, **base)
    fitted = event.result
    facts = {
        **fitted.facts,
        "threads": float(fit.threads),
        **{f"fold/{i}": v for i, v in enumerate(fitted.values)},
        **{f"rounds/{i}": float(v) for i, v in enumerate(fitted.rounds)},
    }
    return Trial(
        state=fitted.state,
        value=fitted.value,
        metrics=fitted.metrics,
        curve=fitted.curve,
        facts=facts,
        files=Path(fit.folder) if fitted.models else None,
        **base,
    )
