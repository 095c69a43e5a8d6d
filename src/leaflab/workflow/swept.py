"""What a sweep leaves behind, and its closing screen."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaflab.search.objectives import key_of
from leaflab.values import typed

if TYPE_CHECKING:
    from leaflab.scorer import Scorer
    from leaflab.values import Dataset, Trial, Version

__all__ = ["Swept"]

_FRONT = 8


@dataclass(frozen=True)
class Swept:
    """A finished sweep.

    Args:
        name: experiment and registered model.
        run_id, sweep_id: the MLflow run, and the identity that the same command continues.
        metric: the objective's name.
        best: the best trial; `value` its objective and `metrics` all metrics, on the validation rows.
        trials: every finished trial, by number.
        scorer: the refitted model; takes the raw table.
        members: how it is made.
        version: its registered version; None where the store was away and will have it later.
        baselines: name to trial.
        dataset: what it learnt from.
        refitted: metrics of the refitted model on rows its members did not learn from (`oof/log_loss`).
        notes: warnings for the researcher.
        seconds: phase to seconds.
        complete: nothing was left to do; `stopped`: the user ended it before its budget.
        objectives, front: with several objectives, name to direction, and the trials that no other beats in all.
        kept: whether the model's trial keeps the limits it was given.
    """

    name: str
    run_id: str
    sweep_id: str
    metric: str
    best: Trial
    trials: tuple[Trial, ...]
    scorer: Scorer
    members: tuple[str, ...]
    version: Version | None
    baselines: Mapping[str, Trial]
    dataset: Dataset
    refitted: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    complete: bool = False
    stopped: bool = False
    objectives: Mapping[str, str] = field(default_factory=dict)
    front: tuple[Trial, ...] = ()
    kept: bool = True

    @property
    def value(self) -> float:
        """The best trial's objective on the validation rows."""
        assert self.best.value is not None
        return self.best.value

    @property
    def metrics(self) -> Mapping[str, float]:
        """Every metric of the best trial on the validation rows."""
        return self.best.metrics

    @property
    def exit_code(self) -> int:
        return 130 if self.stopped else 0 if self.kept else 3

    @property
    def headline(self) -> str:
        against = ", ".join(f"{name} {trial.value:.6g}" for name, trial in self.baselines.items())
        return f"best {self.metric} {self.value:.6g} (trial {self.best.number} of {len(self.trials)}; {against})"

    def __str__(self) -> str:
        more = "raise search.trials or search.seconds to continue"
        lines = [
            f"Already complete: {self.headline}; {more}." if self.complete else f"Sweep {self.name}: {self.headline}."
        ]
        if refitted := self.refitted.get(f"oof/{self.metric}"):
            lines.append(f"Refitted as {len(self.members)} configuration(s): {'; '.join(self.members)}; "
                         f"{self.metric} {refitted:.6g} on rows each did not learn from.")  # fmt: skip
        lines += self._front()
        lines += [f"Note: {note}" for note in self.notes]
        again = "The same command continues it. " if self.stopped else ""
        after = "   ".join([typed("evaluate", self.name), typed("promote", self.name), "leaflab ui"])
        if self.version is None:
            lines.append("Not registered yet, for the tracking store does not answer: `leaflab sync` sends it later.")
            lines.append(f"{again}Next: leaflab sync   {after}")
        else:
            lines.append(f"Run {self.run_id}, registered as {self.version} (challenger).")
            lines.append(f"{again}Next: {after}")
        return "\n".join(lines)

    def _front(self) -> list[str]:
        """The trials to choose among, the best metric first."""
        if not self.front:
            return []
        names = [name for name in self.objectives if name != self.metric]
        told = []
        for t in self.front[:_FRONT]:
            others = "".join(f", {name} {t.facts[key_of(name)]:.4g}" for name in names)
            mark = "→" if t.number == self.best.number else " "
            told.append(f"  {mark} trial {t.number}: {self.metric} {t.value:.6g}{others}")
        more = [f"    and {len(self.front) - _FRONT} more in the report"] if len(self.front) > _FRONT else []
        return [f"The front of {' and '.join(self.objectives)} (→ was taken):", *told, *more]

    def _repr_html_(self) -> str:
        rows = [("best trial", self.value), *((name, trial.value) for name, trial in self.baselines.items())]
        cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{value:.6g}</td></tr>" for name, value in rows)
        text = html.escape(str(self)).replace("\n", "<br>")
        return f"<table><tr><th></th><th>{html.escape(self.metric)}</th></tr>{cells}</table><p>{text}</p>"
