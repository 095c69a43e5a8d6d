"""`leaflab run`: collect, prepare, sweep, evaluate and promote, in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.workflow.collect import collect
from leaflab.workflow.evaluate import evaluate
from leaflab.workflow.prepare import prepare
from leaflab.workflow.promote import promote
from leaflab.workflow.sweep import sweep

if TYPE_CHECKING:
    from leaflab.workflow.evaluate import Evaluated
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.promote import Promoted
    from leaflab.workflow.sweep import Swept

__all__ = ["Ran", "run"]


@dataclass(frozen=True)
class Ran:
    """What a whole run left behind; `promoted` is None where there was no test set to judge on."""

    swept: Swept
    evaluated: Evaluated | None
    promoted: Promoted | None
    exit_code: int = 0

    def __str__(self) -> str:
        return "\n".join(str(part) for part in (self.swept, self.evaluated, self.promoted) if part is not None)


def run(lab: Lab) -> Ran:
    """From a source to a judged champion.

    Raises:
        CheckFailed: a leak was found, or the gates refused the challenger; everything up to there is recorded.
    """
    raw = collect(lab)
    dataset = prepare(lab, raw)
    swept = sweep(lab, dataset)
    evaluated = evaluate(lab, swept)
    promoted = promote(lab)
    return Ran(swept, evaluated, promoted)
