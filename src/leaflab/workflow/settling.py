"""From verdicts to what becomes of them: a record, and an alias that moves or stays."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leaflab.tracking.base import RunSpec
from leaflab.workflow.judging import new_entry, record_of
from leaflab.workflow.odometer import look_tags
from leaflab.workflow.promoted import Promoted
from leaflab.workflow.summary import summarised

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict, Version
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Ledger

__all__ = ["Case", "settle"]


@dataclass(frozen=True)
class Case:
    """Who is judged, and who holds the alias; the rival is nobody where the holder itself is judged."""

    subject: Subject
    holder: Version | None

    @property
    def challenger(self) -> Version:
        assert self.subject.version is not None
        return self.subject.version

    @property
    def rival(self) -> Version | None:
        return self.holder if self.holder and self.holder.number != self.challenger.number else None


def settle(lab: Lab, ledger: Ledger, case: Case, evidence: Evidence, verdicts: tuple[Verdict, ...]) -> Promoted:
    """Records the judgement, moves the alias where it may, and says why where it may not."""
    blocking = _against(lab, verdicts, case.rival)
    allowed = "pending" if lab.promote.approve == "manual" else "promoted"
    outcome = "refused" if blocking and not lab.promote.force else "forced" if blocking else allowed
    code = 3 if outcome == "refused" else 0
    sentence = _sentence(case, outcome, blocking)
    if lab.promote.dry_run:
        _looked(lab, case.subject)
        return Promoted("dry run", case.challenger, f"Dry run: {sentence}", verdicts, exit_code=code)
    standing = case.challenger if outcome in ("promoted", "forced") else case.holder
    entry = new_entry(ledger, outcome, case.challenger, standing.number if standing else None, lab.promote.why)
    entry = replace(entry, record=record_of(lab, evidence, verdicts, case.rival))
    metrics = {f"test/{name}": value for name, value in evidence.challenger.metrics.items()}
    tags = {**look_tags(case.subject), "mlflow.note.content": summarised(entry)}
    written = ledger.append(entry, lab.name, metrics, tags)
    return Promoted(outcome, case.challenger, sentence, verdicts, written.run_id, code)


def _against(lab: Lab, verdicts: Iterable[Verdict], rival: Version | None) -> list[Verdict]:
    """The verdicts that stand in the way; a champion that cannot be compared with is no excuse."""
    excused = set(lab.promote.not_applicable) - ({"beats_champion"} if rival else set())
    return [v for v in verdicts if v.outcome == "failed" or (v.outcome == "not applicable" and v.name not in excused)]


def _sentence(case: Case, outcome: str, blocking: Sequence[Verdict]) -> str:
    gates, version = ", ".join(v.name for v in blocking), case.challenger
    instead = f" instead of version {case.rival.number}" if case.rival else ""
    approve = f'`leaflab approve {shlex.quote(version.name)} {version.number} --why "…"`'
    return {
        "promoted": f"{version} is champion{instead}.",
        "forced": f"{version} is champion{instead}, FORCED against {gates}.",
        "refused": f"{version} was refused by {gates}.",
        "pending": f"{version} passed every gate and waits for {approve}.",
    }[outcome]


def _looked(lab: Lab, subject: Subject) -> None:
    """A dry run is a look at the test set like any other."""
    spec = RunSpec(
        lab.name, "promote", f"dry run of {subject.label}", tags={**look_tags(subject), "leaflab.dry_run": "true"}
    )
    with lab.tracking.start(spec):
        pass
