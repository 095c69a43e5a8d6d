"""`leaflab promote`: judges the challenger against the champion, and moves the alias only with a record."""

from __future__ import annotations

import getpass
import logging
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaflab.errors import CheckFailed, ConfigError, DataError, ModelError
from leaflab.workflow.evidence import asked_version, gather, subject_of_version
from leaflab.workflow.ledger import CHAMPION, Entry, Ledger, opened

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict, Version
    from leaflab.workflow.evidence import Subject
    from leaflab.workflow.lab import Lab

__all__ = ["Promoted", "promote"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promoted:
    """What a promotion came to.

    Args:
        outcome: "promoted", "refused", "forced", "rolled back", "already champion", "not applicable" or "dry run".
        version: the version judged; None where nothing could be judged.
        sentence: the outcome and its reason.
        verdicts: what every gate said.
        run_id: the ledger entry's run; "" where none was written.
    """

    outcome: str
    version: Version | None
    sentence: str
    verdicts: tuple[Verdict, ...] = ()
    run_id: str = ""
    exit_code: int = 0

    @property
    def headline(self) -> str:
        return self.sentence

    def __str__(self) -> str:
        return "\n".join([*_table(self.verdicts), self.sentence])


def promote(lab: Lab) -> Promoted:
    """Judges a version by the gates and, where all are satisfied, gives it the alias `champion`.

    Raises:
        ConfigError: a forced promotion or a rollback without `promote.why`.
        ModelError: there is no such version, or it cannot be compared with the champion.
        DataError: the dataset has no test rows (under `run`: not applicable).
        CheckFailed: the gates refused; everything is recorded.
    """
    asked = lab.promote
    if (asked.force or asked.rollback) and not (asked.why or "").strip():
        raise ConfigError("`promote.why`", "is required to force or to roll back", hint='say it, as in promote.why="…"')
    with opened(lab.tracking, lab.name, lab.folder) as ledger:
        champion = lab.tracking.registry.version(lab.name, alias=CHAMPION)
        if asked.rollback:
            return _roll_back(lab, ledger, champion)
        challenger = _asked(lab, champion)
        if champion and challenger.number == champion.number:
            return Promoted("already champion", champion, f"{champion} is already champion.")
        subject = subject_of_version(lab, challenger)
        if not subject.dataset.rows("test"):
            return _no_test(lab, subject)
        evidence = gather(lab, subject, champion)
        verdicts = tuple(lab.gate[name].judge(evidence) for name in lab.gate)
        return _settle(lab, ledger, evidence, verdicts, (challenger, champion))


def _asked(lab: Lab, champion: Version | None) -> Version:
    registry = lab.tracking.registry
    waiting = lab.promote.version or registry.version(lab.name, alias=lab.promote.alias)
    if not waiting and champion and lab.promote.alias == "challenger":
        return champion
    return asked_version(lab, lab.promote.alias, lab.promote.version)


def _no_test(lab: Lab, subject: Subject) -> Promoted:
    name = subject.dataset.name
    if lab.verb == "run":
        return Promoted("not applicable", subject.version, f"promote: not applicable: '{name}' has no test rows.")
    raise DataError(f"'{name}'", "has no test rows to judge on", hint="prepare it with split.test_size above 0")


def _settle(
    lab: Lab,
    ledger: Ledger,
    evidence: Evidence,
    verdicts: tuple[Verdict, ...],
    versions: tuple[Version, Version | None],
) -> Promoted:
    """Records the judgement, moves the alias where it may, and says why where it may not."""
    challenger, champion = versions
    against = _against(lab, verdicts, champion)
    forced = bool(against) and lab.promote.force
    moved = not against or forced
    outcome = "forced" if forced else "promoted" if moved else "refused"
    sentence = _sentence(challenger, champion, outcome, against)
    if lab.promote.dry_run:
        return Promoted("dry run", challenger, f"Dry run: {sentence}", verdicts, exit_code=0 if moved else 3)
    holder = challenger.number if moved else champion.number if champion else None
    entry = _entry(lab, ledger, outcome, challenger, holder)
    entry = Entry(**{**entry.plain(), "record": _record(lab, evidence, verdicts, champion)})
    metrics = {f"test/{name}": value for name, value in evidence.challenger.metrics.items()}
    written = ledger.append(entry, lab.name, metrics)
    result = Promoted(outcome, challenger, sentence, verdicts, written.run_id)
    if not moved:
        for line in _table(verdicts):
            _log.info(line)
        raise CheckFailed(str(challenger), f"was refused: {'; '.join(v.sentence.rstrip('.') for v in against)}")
    return result


def _against(lab: Lab, verdicts: tuple[Verdict, ...], champion: Version | None) -> list[Verdict]:
    """The verdicts that stand in the way; a champion that cannot be compared with is no excuse."""
    excused = set(lab.promote.not_applicable) - ({"beats_champion"} if champion else set())
    return [v for v in verdicts if v.outcome == "failed" or (v.outcome == "not applicable" and v.name not in excused)]


def _sentence(challenger: Version, champion: Version | None, outcome: str, against: list[Verdict]) -> str:
    gates = ", ".join(v.name for v in against)
    instead = f" instead of version {champion.number}" if champion else ""
    return {
        "promoted": f"{challenger} is champion{instead}.",
        "forced": f"{challenger} is champion{instead}, FORCED against {gates}.",
        "refused": f"{challenger} was refused by {gates}.",
    }[outcome]


def _entry(lab: Lab, ledger: Ledger, outcome: str, version: Version, holder: int | None) -> Entry:
    number, digest, _ = ledger.head
    return Entry(
        number=number + 1,
        previous=digest,
        outcome=outcome,
        version=version.number,
        champion=holder,
        when=time.time(),
        who=f"{getpass.getuser()}@{platform.node()}",
        why=lab.promote.why or "",
    )


def _record(lab: Lab, evidence: Evidence, verdicts: tuple[Verdict, ...], champion: Version | None) -> Mapping[str, Any]:
    """What later readers need to judge the judgement, as plain values."""
    return {
        "verdicts": [{**v.__dict__, "numbers": dict(v.numbers)} for v in verdicts],
        "metric": evidence.metric.name,
        "challenger": dict(evidence.challenger.metrics),
        "champion": dict(evidence.champion.metrics) if evidence.champion else {},
        "previous": champion.number if champion else None,
        "dataset": evidence.dataset.id,
        "digests": dict(evidence.dataset.digests),
        "rows": evidence.table.num_rows,
        "looks": evidence.looks,
        "gates": {name: str(gate) for name, gate in lab.gate.items()},
    }


def _roll_back(lab: Lab, ledger: Ledger, champion: Version | None) -> Promoted:
    if champion is None:
        raise ModelError(f"'{lab.name}'", "has no champion to roll back")
    held = [e.champion for e in ledger.entries() if e.moved and e.champion]
    before = [number for number in held if number != champion.number]
    version = lab.tracking.registry.version(lab.name, number=before[-1]) if before else None
    if version is None:
        raise ModelError(str(champion), "has no champion before it to roll back to")
    entry = ledger.append(_entry(lab, ledger, "rolled back", version, version.number), lab.name)
    sentence = f"{version} is champion again instead of version {champion.number}."
    return Promoted("rolled back", version, sentence, run_id=entry.run_id)


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    width = max((len(v.name) for v in verdicts), default=0)
    return [f"{v.outcome:<14}  {v.name:<{width}}  {v.sentence}" for v in verdicts]
