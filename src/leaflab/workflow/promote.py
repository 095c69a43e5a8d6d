"""`leaflab promote`: judges the challenger against the champion, and moves the alias only with a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError
from leaflab.workflow.delivery import deliver
from leaflab.workflow.evidence import subject_of_version
from leaflab.workflow.gathering import gather
from leaflab.workflow.judging import candidate, holder
from leaflab.workflow.ledger import opened, promotion_of
from leaflab.workflow.promoted import Promoted
from leaflab.workflow.rollback import roll_back
from leaflab.workflow.settling import Case, settle

if TYPE_CHECKING:
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Promoted", "promote"]


def promote(lab: Lab) -> Promoted:
    """Judges a version by the gates and, where all are satisfied, gives it the alias `champion`.

    Raises:
        ConfigError: a forced promotion or a rollback without `promote.why`.
        ModelError: there is no such version, or it cannot be compared with the champion.
        DataError: the dataset has no test rows (under `run`: not applicable).
        CheckFailed: somebody moved the alias without a record.
    """
    asked = lab.promote
    if (asked.force or asked.rollback) and not (asked.why or "").strip():
        raise ConfigError("`promote.why`", "is required to force or to roll back", hint='say it, as in promote.why="…"')
    with opened(lab.tracking, lab.name, lab.folder) as ledger:
        champion = holder(lab, ledger)
        if asked.rollback:
            return roll_back(lab, ledger, champion)
        if asked.to:
            return deliver(lab, ledger, champion)
        challenger = candidate(lab, champion)
        if champion and challenger.number == champion.number and promotion_of(ledger.entries(), champion.number):
            return Promoted("already champion", champion, f"{champion} is already champion.")
        subject = subject_of_version(lab, challenger)
        if not subject.dataset.rows("test"):
            return _no_test(lab, subject)
        case = Case(subject, champion)
        evidence = gather(lab, subject, case.rival)
        verdicts = tuple(gate.judge(evidence) for gate in lab.gate.values())
        return settle(lab, ledger, case, evidence, verdicts)


def _no_test(lab: Lab, subject: Subject) -> Promoted:
    name = subject.dataset.name
    if lab.verb == "run":
        return Promoted("not applicable", subject.version, f"promote: not applicable: '{name}' has no test rows.")
    raise DataError(f"'{name}'", "has no test rows to judge on", hint="prepare it with split.test_size above 0")
