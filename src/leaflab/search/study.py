"""The study: Optuna's trials in a journal, asked for and told by one driver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from leaflab.search.samplers import made, partly, size
from leaflab.search.space import clamped
from leaflab.search.steps import now
from leaflab.values import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner

    from leaflab.search.journal import Journal
    from leaflab.search.objectives import Objectives
    from leaflab.search.steps import Steps

__all__ = ["Study", "plain_of", "seed_of", "trial_from"]

_AS = "leaflab:params"
_OUTCOME = "leaflab:outcome"
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "deadline": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def seed_of(sweep_seed: int, number: int) -> int:
    """A trial's own seed, 31 bits, from the sweep's and its number."""
    return int.from_bytes(hashlib.sha256(f"{sweep_seed}/{number}".encode()).digest()[:4], "big") >> 1


class Study:
    """Trials of one sweep. Opening it again finds what was finished, and what was running when the driver died."""

    def __init__(self, journal: Journal, name: str, objectives: Objectives, pruner: BasePruner) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.journal = journal
        storage = optuna.storages.JournalStorage(self.journal)
        self._study = optuna.create_study(
            storage=storage, study_name=name, directions=objectives.directions, load_if_exists=True, pruner=pruner
        )
        self._objectives = objectives
        self._asked: dict[int, optuna.Trial] = {}
        self._verdicts: dict[int, dict[int, bool]] = {}

    def prepare(
        self,
        sampler: Any,
        seed: int,
        varying: Mapping[str, BaseDistribution],
        fixed: Mapping[str, Any],
        steps: Steps = (),
    ) -> None:
        """Says how trials are drawn."""
        self._steps_of_space, self._defaults = steps, dict[str, Any]()
        self._sampler, self._seed, self._varying, self._fixed = sampler, seed, dict(varying), dict(fixed)
        self._size = size(made(sampler, seed, seed, varying), varying)

    def first(self, configurations: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> None:
        """Puts configurations at the head of an empty study; they are tried exactly as given."""
        self._defaults = dict(defaults)
        if self._study.get_trials(deepcopy=False):
            return
        self.remember(first=len(configurations))
        for params in configurations:
            shown = clamped({**defaults, **params}, self._varying)
            self._study.enqueue_trial(shown, user_attrs={_AS: dict(params)})
        self.journal.flush()

    def interrupted(self) -> list[tuple[int, dict[str, Any]]]:
        """Number and parameters of the trials that were running when the driver died, reopened under their number."""
        reopened = []
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.number not in self._asked:
                self._asked[frozen.number] = optuna.trial.Trial(self._study, frozen._trial_id)
                reopened.append((frozen.number, self._params(frozen.number)))
        return reopened

    @property
    def exhausted(self) -> bool:
        """Whether a sampler that goes through the space once has gone through it."""
        if self._size is None:
            return False
        own = self._study.get_trials(deepcopy=False)[self.recall("first", 0) :]
        return len({tuple(sorted(t.params.items())) for t in own}) >= self._size

    def ask(self) -> tuple[int, dict[str, Any]]:
        """The next trial's number and parameters."""
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        number = waiting[0].number if waiting else len(self._study.get_trials(deepcopy=False))
        self._study.sampler = made(self._sampler, seed_of(self._seed, number), self._seed, self._varying)
        free = None if waiting else now(self._steps_of_space, number - self.recall("first", 0))
        best = {} if free is None else self._best()
        if free is not None:
            self._study.sampler = partly({**self._defaults, **best}, self._varying, free, self._study.sampler)
        trial = self._study.ask()
        self._asked[trial.number] = trial
        params = self._params(trial.number)
        if free is not None:
            params = {**self._fixed, **best, **{name: params[name] for name in free if name in self._varying}}
            trial.set_user_attr(_AS, params)
        self.journal.flush()
        return trial.number, params

    def _best(self) -> dict[str, Any]:
        """Parameters of the best trial so far; where there is none, the defaults."""
        best = self._objectives.best(self.finished())
        return {} if best is None else dict(best.params)

    def _params(self, number: int) -> dict[str, Any]:
        """Draws what is missing; a configuration put first is taken exactly as given."""
        trial = self._asked[number]
        drawn = {name: _suggested(trial, name, kind) for name, kind in self._varying.items()}
        return dict(trial.user_attrs[_AS]) if _AS in trial.user_attrs else {**self._fixed, **drawn}

    def pruned(self, number: int, step: int, value: float) -> bool:
        """Reports a value and asks the pruner; configurations put first are seen to their end."""
        verdicts = self._verdicts.setdefault(number, {})
        if step not in verdicts:  # else its worker was lost, and another one is where that one was
            trial = self._asked[number]
            trial.report(value, step)
            told = trial.should_prune()  # asked of those too: halving pruners compare the others with them
            verdicts[step] = told and number >= self.recall("first", 0)
        return verdicts[step]

    def tell(self, *trials: Trial) -> None:
        """Finishes trials, and makes them survive a crash, all or none."""
        for trial in trials:
            asked = self._asked.pop(trial.number)
            self._verdicts.pop(trial.number, None)
            asked.set_user_attr(_OUTCOME, plain_of(trial))
            state = _STATES[trial.state]
            for limit, excess in self._objectives.excesses(trial).items():
                asked.set_constraint(limit, excess)
            complete = state == TrialState.COMPLETE
            if self._size is not None:  # such a sampler would stop a loop of Optuna's own
                self._study.sampler = optuna.samplers.RandomSampler()
            self._study.tell(asked, self._objectives.values(trial) if complete else None, state)
        self.journal.flush()

    def finished(self) -> list[Trial]:
        """The finished trials, by number."""
        kept = [t.user_attrs[_OUTCOME] for t in self._study.get_trials(deepcopy=False) if t.state.is_finished()]
        return [trial_from(plain) for plain in kept]

    def remember(self, **facts: Any) -> None:
        """Keeps facts of the sweep with its trials; the next flush makes them durable."""
        for key, value in facts.items():
            self._study.set_user_attr(key, value)

    def recall(self, key: str, default: Any = None) -> Any:
        return self._study.user_attrs.get(key, default)


def plain_of(trial: Trial) -> dict[str, Any]:
    """A trial as plain JSON."""
    return {**asdict(trial), "files": str(trial.files) if trial.files else None}


def trial_from(plain: Mapping[str, Any]) -> Trial:
    """The trial of `plain_of`."""
    curve = tuple((int(step), float(value)) for step, value in plain["curve"])
    files = Path(plain["files"]) if plain["files"] else None
    return Trial(**{**plain, "curve": curve, "files": files})


def _suggested(trial: optuna.Trial, name: str, kind: Any) -> Any:
    if isinstance(kind, CategoricalDistribution):
        return trial.suggest_categorical(name, kind.choices)
    if isinstance(kind, IntDistribution):
        return trial.suggest_int(name, kind.low, kind.high, step=kind.step, log=kind.log)
    return trial.suggest_float(name, kind.low, kind.high, step=kind.step, log=kind.log)
