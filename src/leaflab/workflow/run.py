"""`leaflab run`: collect, prepare, sweep, evaluate and promote, in one go."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.errors import TrackingError
from leaflab.values import Shown, typed
from leaflab.workflow.collect import collect
from leaflab.workflow.evaluate import evaluate
from leaflab.workflow.prepare import prepare
from leaflab.workflow.promote import promote
from leaflab.workflow.sweep import sweep

if TYPE_CHECKING:
    from leaflab.workflow.evaluate import Evaluated
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.promote import Promoted
    from leaflab.workflow.swept import Swept

__all__ = ["Ran", "run"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ran(Shown):
    """What a whole run left behind."""

    swept: Swept
    evaluated: Evaluated
    promoted: Promoted
    exit_code: int = 0

    @property
    def headline(self) -> str:
        return f"{self.swept.headline}; {self.promoted.headline}"

    def __str__(self) -> str:
        return f"{self.swept}\n{self.evaluated}\n{self.promoted}"

    def _repr_html_(self) -> str:
        return self.swept._repr_html_() + self.evaluated._repr_html_() + self.promoted._repr_html_()


def run(lab: Lab) -> Ran:
    """From a source to a judged champion; `exit_code` is 3 where the gates refused it.

    Raises:
        CheckFailed: a leak was found; everything up to there is recorded.
        TrackingError: the store is away, so nothing can be judged; the sweep is done and waits for it.
    """
    raw = collect(lab)
    dataset = prepare(lab, raw)
    swept = sweep(lab, dataset)
    if swept.version is None:
        _log.info("%s", swept)
        later = f"`leaflab sync` when it does, then `{typed('evaluate', lab.name)}` and `{typed('promote', lab.name)}`"
        raise TrackingError(f"The tracking store {lab.tracking.uri}", "does not answer", hint=later)
    evaluated = evaluate(lab, swept)
    promoted = promote(lab)
    return Ran(swept, evaluated, promoted, exit_code=max(swept.exit_code, promoted.exit_code))
