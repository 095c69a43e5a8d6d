"""`leaflab promote`: judges the challenger against the champion, and moves the alias only with a record."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, DataError, ModelError
from leaflab.tracking.base import RunSpec
from leaflab.values import Shown
from leaflab.workflow.delivery import deliver
from leaflab.workflow.evidence import subject_of_version
from leaflab.workflow.gathering import gather
from leaflab.workflow.judging import against, candidate, holder, new_entry, previous_champion, record_of, table_of
from leaflab.workflow.ledger import opened
from leaflab.workflow.odometer import look_tags
from leaflab.workflow.summary import summarised

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict, Version
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Ledger

__all__ = ["Promoted", "promote"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promoted(Shown):
    """What a promotion came to.

    Args:
        outcome: "promoted", "refused", "forced", "pending", "rolled back", "copied", "already champion",
            "not applicable" or "dry run".
        version: the version judged; None where nothing could be judged.
        headline: the outcome and its reason, one sentence.
        verdicts: what every gate said.
        run_id: the ledger entry's run; "" where none was written.
    """

    outcome: str
    version: Version | None
    headline: str
    verdicts: tuple[Verdict, ...] = ()
    run_id: str = ""
    exit_code: int = 0

    def __str__(self) -> str:
        return "\n".join([*table_of(self.verdicts), self.headline])


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
            return _roll_back(lab, ledger, champion)
        if asked.to:
            return _copy(lab, ledger, champion)
        challenger = candidate(lab, champion)
        if champion and challenger.number == champion.number:
            return Promoted("already champion", champion, f"{champion} is already champion.")
        subject = subject_of_version(lab, challenger)
        if not subject.dataset.rows("test"):
            return _no_test(lab, subject)
        evidence = gather(lab, subject, champion)
        verdicts = tuple(gate.judge(evidence) for gate in lab.gate.values())
        return _settle(lab, ledger, evidence, verdicts, (subject, champion))


def _settle(
    lab: Lab, ledger: Ledger, evidence: Evidence, verdicts: tuple[Verdict, ...], sides: tuple[Subject, Version | None]
) -> Promoted:
    """Records the judgement, moves the alias where it may, and says why where it may not."""
    subject, champion = sides
    challenger = subject.version
    assert challenger is not None
    blocking = against(lab, verdicts, champion)
    allowed = "pending" if lab.promote.approve == "manual" else "promoted"
    outcome = "refused" if blocking and not lab.promote.force else "forced" if blocking else allowed
    done = Promoted(outcome, challenger, _sentence(challenger, champion, outcome, blocking), verdicts)
    if lab.promote.dry_run:
        _looked(lab, subject)
        done = replace(done, outcome="dry run", headline=f"Dry run: {done.headline}")
        return replace(done, exit_code=3 if outcome == "refused" else 0)
    moves = outcome in ("promoted", "forced")
    now = challenger.number if moves else champion.number if champion else None
    entry = new_entry(ledger, outcome, challenger, now, lab.promote.why)
    entry = replace(entry, record=record_of(lab, evidence, verdicts, champion))
    metrics = {f"test/{name}": value for name, value in evidence.challenger.metrics.items()}
    written = ledger.append(entry, lab.name, metrics, {**look_tags(subject), "mlflow.note.content": summarised(entry)})
    return replace(done, run_id=written.run_id, exit_code=3 if outcome == "refused" else 0)


def _sentence(challenger: Version, champion: Version | None, outcome: str, blocking: list[Verdict]) -> str:
    gates = ", ".join(v.name for v in blocking)
    instead = f" instead of version {champion.number}" if champion else ""
    approve = f'`leaflab approve {challenger.name} {challenger.number} --why "…"`'
    return {
        "promoted": f"{challenger} is champion{instead}.",
        "forced": f"{challenger} is champion{instead}, FORCED against {gates}.",
        "refused": f"{challenger} was refused by {gates}.",
        "pending": f"{challenger} passed every gate and waits for {approve}.",
    }[outcome]


def _looked(lab: Lab, subject: Subject) -> None:
    """A dry run is a look at the test set like any other."""
    spec = RunSpec(
        lab.name, "promote", f"dry run of {subject.label}", tags={**look_tags(subject), "leaflab.dry_run": "true"}
    )
    with lab.tracking.start(spec):
        pass


def _no_test(lab: Lab, subject: Subject) -> Promoted:
    name = subject.dataset.name
    if lab.verb == "run":
        return Promoted("not applicable", subject.version, f"promote: not applicable: '{name}' has no test rows.")
    raise DataError(f"'{name}'", "has no test rows to judge on", hint="prepare it with split.test_size above 0")


def _roll_back(lab: Lab, ledger: Ledger, champion: Version | None) -> Promoted:
    if champion is None:
        raise ModelError(f"'{lab.name}'", "has no champion to roll back")
    before = previous_champion(ledger.entries(), champion)
    version = lab.tracking.registry.version(lab.name, number=before.champion)
    if version is None:
        raise ModelError(f"version {before.champion} of '{lab.name}'", "was champion before and is gone")
    entry = new_entry(ledger, "rolled back", version, version.number, lab.promote.why)
    record = {**before.record, "previous": champion.number, "judged": before.number}
    entry = ledger.append(replace(entry, record=record), lab.name, tags={"mlflow.note.content": summarised(entry)})
    sentence = f"{version} is champion again instead of version {champion.number}."
    return Promoted("rolled back", version, sentence, run_id=entry.run_id)


def _copy(lab: Lab, ledger: Ledger, champion: Version | None) -> Promoted:
    if champion is None:
        raise ModelError(
            f"'{lab.name}'", "has no champion to copy", hint=f"run `leaflab promote name={lab.name}` first"
        )
    made, run_id = deliver(lab, ledger, champion)
    return Promoted("copied", made, f"{champion} is champion of {lab.promote.to} as {made}.", run_id=run_id)
