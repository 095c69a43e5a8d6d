"""One command's work on a sweep, from opening its journal to the final model."""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import Interrupted, ModelError
from leaflab.search import pruners, samplers, space
from leaflab.search.again import Again
from leaflab.search.base import Fit, Found
from leaflab.search.benches import Benches
from leaflab.search.budget import Budget
from leaflab.search.driving import Driver, comparable, counts, folds_of, trial_of
from leaflab.search.members import Members
from leaflab.search.notes import notes
from leaflab.search.objectives import Objectives
from leaflab.search.refitting import Final, Refit
from leaflab.search.steps import divided
from leaflab.search.study import Study, plain_of, trial_from
from leaflab.search.validation import folds

if TYPE_CHECKING:
    from leaflab.executor.base import Executor, Pool
    from leaflab.model.base import Model, Problem
    from leaflab.scorer.predictor import Predictor
    from leaflab.search.base import Place
    from leaflab.search.journal import Journal
    from leaflab.search.standard import Standard
    from leaflab.search.stopping import Stopping
    from leaflab.values import Trial

__all__ = ["Session", "forget"]

_log = logging.getLogger(__name__)


@dataclass
class Session:
    """Opens, continues or finds complete one sweep."""

    search: Standard
    problem: Problem
    model: Model
    executor: Executor
    place: Place
    stopping: Stopping
    journal: Journal

    def run(self) -> Found:
        study = self._study()
        done = [self._sound(trial) for trial in study.finished()]
        for trial in done:
            self.place.watch(trial)
        budget = Budget(self.search.seconds, self.search.trials, float(study.recall("spent", 0.0)), self.place.started)
        if study.recall("made_for") is not None and (budget.reached(len(done)) or study.exhausted):
            if (final := self._kept()) is not None:
                notes = tuple(study.recall("notes", ()))
                kept = self._baselines_kept(study)
                return self._found(done, final, kept, {}, notes=notes, resumed=len(done), complete=True)
            _log.info("The final model is gone or garbled: it is made again.")
            budget.spent = float(study.recall("searched", budget.spent))
        return self._continued(study, budget, done)

    def _continued(self, study: Study, budget: Budget, done: list[Trial]) -> Found:
        cut = folds(self.problem, self.search.validation, self.search.folds, self.place.seed)
        judged = 1 if self.search.validation == "holdout" else len(cut)
        store = self.place.folder / "store"
        _removed(store)
        models = {"": self.model, **self.place.baselines}
        benches = {name: m.bench(self.problem, cut, store, self.search.bins) for name, m in models.items()}
        bench = Benches(benches, store)
        resumed, seconds = len(done), {"open": time.monotonic() - budget.started}
        with self.executor.open(bench, len(self.problem.target)) as pool:
            sure: Any = Again(pool)
            exact = budget.seconds is None and (self.search.ordered or pool.size == 1)
            members = Members(self.problem, cut, judged, sure, budget, self.stopping, self.place, self.aims.plain)
            refit = Refit(self._kind, self.search.top, self.problem, self.model, members, self.search.within)
            driver = Driver(study, sure if exact else pool, budget, self.stopping, self.place, tuple(range(judged)),
                            self._by, lambda trials: refit.reserve(self.aims.eligible(trials)),
                            self._generation(pool.size), done, self._shares(len(cut[0][0])),
                            partial(self.aims.measured, judged=[rows for _, rows in cut[:judged]]))  # fmt: skip
            driver.run()
            study.remember(searched=budget.used)
            seconds["search"] = time.monotonic() - budget.started - seconds["open"]
            usable = self._usable(driver.done)
            members.judged = max(folds_of(t) for t in usable if counts(t))
            final = refit.run(self.aims.eligible(usable))
            seconds["refit"] = time.monotonic() - budget.started - seconds["open"] - seconds["search"]
            seconds["total"] = time.monotonic() - budget.started
            self._keep(study, budget, final)
            baselines = self._baselines(study, sure)
        _removed(store)
        trials = sorted(driver.done, key=lambda t: t.number)
        dummy = baselines["dummy"][0].value if "dummy" in baselines else None
        said = (*self.aims.sentences(trials), *notes(self.problem, cut, trials, self._varying, dummy))
        study.remember(notes=list(said))
        study.journal.flush()
        return self._found(trials, final, baselines, seconds, notes=said, resumed=resumed, complete=False)

    def _study(self) -> Study:
        steps, whole = divided(self.search.space)
        searched = self.model.space(self.problem, whole)
        varying, fixed = space.distributions(searched)
        self.model.check(self.problem, space.reach(varying, fixed))
        self._varying = varying
        pruner = pruners.made(self.search.pruner, self.aims.several)
        self._racing = pruners.racing(pruner)
        samplers.check(self.search.sampler, varying, self.aims.directions)
        study = Study(self.journal, self.place.id, self.aims, pruner)
        study.prepare(self.search.sampler, self.place.seed, varying, fixed, steps)
        first = self.model.portfolio(self.problem) if self.search.portfolio else [{}]
        first = [first[0], *[dict(p) for p in self.place.earlier], *first[1:]]
        study.first([{**fixed, **p} for p in first], self.model.defaults)
        return study

    def _sound(self, trial: Trial) -> Trial:
        """A trial of an earlier command, its files where the sweep lies now; without them where one is gone or cut off,
        as a power cut may leave it."""
        if trial.files is None:
            return trial
        folder = self.place.trial(trial.number)
        scores = sorted(folder.glob("*.npy"))
        size = sum(file.stat().st_size for file in folder.glob("*") if file.suffix != ".npy")
        whole = size == trial.facts.get("size_bytes") and (scores or not counts(trial)) and all(map(_loads, scores))
        return replace(trial, files=folder if whole else None)

    @cached_property
    def aims(self) -> Objectives:
        """What the sweep is after."""
        return Objectives.of(self.search, self.problem.metric, self.place.measure)

    @property
    def _by(self) -> str:
        """What the pruner judges; with several objectives there is none, because Optuna's cannot judge them."""
        return "" if self.aims.several else getattr(self.search.pruner, "by", "rounds")

    def _shares(self, rows: int) -> tuple[float, ...]:
        pruner = self.search.pruner
        return pruner.shares(rows) if isinstance(pruner, pruners.Pruner) and not self.aims.several else ()

    def _generation(self, workers: int) -> int:
        """Trials asked together where timing may change nothing: as many as there are workers.

        A pruner that compares trials while they run would still see who was first, so there they run one by one.
        """
        if not self.search.ordered:
            return 0
        return 1 if self._racing else workers

    @property
    def _kind(self) -> str:
        """How the model is refitted; a cost that was measured on one model is kept by one model, not by an average."""
        if not self.model.blends or self.aims.several or (not self.aims.plain and self.search.pick == "best"):
            return "best"
        return self.search.refit if self.search.pick == "best" else "fastest"

    def _usable(self, trials: list[Trial]) -> list[Trial]:
        """The trials that the final model may be made of, all judged on the same folds."""
        if any(counts(t) for t in trials):
            return comparable(trials)
        if self.stopping.asked:
            raise Interrupted("The sweep", "was stopped before its first trial finished")
        if any(t.state in ("complete", "deadline") for t in trials):
            hint = "raise search.trials or search.seconds, or begin anew with search.fresh=true"
            raise ModelError("The sweep", "has no trial whose model is still on this machine", hint=hint)
        failed = [t for t in trials if t.error]
        why = f" ({failed[-1].error.strip().splitlines()[-1]})" if failed else ""
        raise ModelError("The sweep", f"has no finished trial{why}", hint="give it more search.seconds or other ranges")

    def _keep(self, study: Study, budget: Budget, final: Final) -> None:
        """The final model, and what it was made for, survive a crash before they are registered."""
        folder = self.place.folder / "final"
        _removed(folder)
        folder.mkdir(parents=True)
        for number, text in enumerate(final.texts):
            (folder / f"{number}.txt").write_text(text, encoding="utf-8")
        plain = {"weights": final.weights, "members": final.members, "metrics": final.metrics, "made": final.made,
                 "digest": final.digest}  # fmt: skip
        (folder / "final.json").write_text(json.dumps(plain), encoding="utf-8")
        spent = budget.used
        if not self.stopping.asked:
            spent = max(spent, budget.seconds or 0.0)
            study.remember(made_for={"seconds": budget.seconds, "trials": budget.trials})
        study.remember(spent=spent)
        study.journal.flush()

    def _kept(self) -> Final | None:
        """The final model of an earlier command; None where it is not there any more as it was written."""
        folder = self.place.folder / "final"
        try:
            plain = json.loads((folder / "final.json").read_text(encoding="utf-8"))
            texts = tuple((folder / f"{n}.txt").read_text(encoding="utf-8") for n in range(len(plain["weights"])))
            final = Final(texts, tuple(plain["weights"]), tuple(plain["members"]), plain["metrics"],
                          tuple(plain["made"]))  # fmt: skip
            return final if final.digest == plain["digest"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _baselines(self, study: Study, pool: Pool) -> dict[str, tuple[Trial, Predictor]]:
        """The baselines, fitted on the first fold."""
        names = list(self.place.baselines)
        waiting, running = list(enumerate(names)), dict[int, tuple[Fit, float]]()
        found: dict[str, Trial] = {}
        while waiting or running:
            while waiting and len(running) < pool.size:
                number, name = waiting.pop(0)
                fit = Fit(name, {}, (0,), self.place.seed, self.place.folder / "baselines" / name, pool.threads)
                running[number] = (fit, time.time())
                pool.submit(number, fit)
            for event in pool.events(0.25, lambda number, report: ""):
                fit, started = running.pop(event.number)
                found[fit.model] = trial_of(event, fit, started)
        study.remember(baselines={name: plain_of(found[name]) for name in names if counts(found[name])})
        study.journal.flush()
        return self._baselines_kept(study)

    def _baselines_kept(self, study: Study) -> dict[str, tuple[Trial, Predictor]]:
        plain, found = study.recall("baselines", {}), {}
        for name, model in self.place.baselines.items():
            folder = self.place.folder / "baselines" / name
            text = next((file.read_text(encoding="utf-8") for file in folder.glob("predictor-*.json")), "")
            if name in plain and text:
                found[name] = replace(trial_from(plain[name]), files=folder), model.predictor([text], [1.0])
        return found

    def _found(self, trials: list[Trial], final: Final, baselines: Any, seconds: dict[str, float], **how: Any) -> Found:
        best = self.aims.best(trials)
        assert best is not None
        reached = {key: value for key, value in best.facts.items() if key.startswith("objective/")}
        aims = dict(zip(self.aims.names, self.aims.directions, strict=True)) if self.aims.several else {}
        return Found(
            trials=tuple(trials),
            best=best,
            predictor=self.model.predictor(final.texts, final.weights),
            members=final.members,
            made=final.made,
            baselines=baselines,
            metrics={**final.metrics, **reached},
            objectives=aims,
            front=tuple(self.aims.front(trials)),
            kept=self.aims.keeps(best),
            seconds=seconds,
            stopped=self.stopping.asked,
            digest=final.digest,
            **how,
        )


def forget(folder: Path) -> None:
    """What an earlier sweep left in its folder."""
    for name in ("journal.log", "study", "trials", "members", "final"):
        _removed(folder / name)


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _loads(file: Path) -> bool:
    """Whether an array is all there."""
    try:
        np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return True
