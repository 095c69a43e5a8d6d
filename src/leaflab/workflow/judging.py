"""From evidence to verdicts, and from verdicts to what the ledger keeps."""

from __future__ import annotations

import getpass
import platform
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from leaflab.errors import CheckFailed, ModelError
from leaflab.workflow.evidence import asked_version
from leaflab.workflow.ledger import CHALLENGER, CHAMPION, Entry, Ledger

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict, Version
    from leaflab.workflow.lab import Lab

__all__ = ["against", "candidate", "holder", "new_entry", "previous_champion", "record_of", "table_of", "who"]


def holder(lab: Lab, ledger: Ledger) -> Version | None:
    """The version with the alias `champion`.

    Raises:
        CheckFailed: somebody moved the alias without a record.
    """
    found = lab.tracking.registry.version(lab.name, alias=CHAMPION)
    entries = ledger.entries()
    recorded = entries[-1].champion if entries else None
    if entries and (found.number if found else None) != recorded and not lab.promote.force:
        said = f"points to version {found.number}" if found else "is gone"
        hint = (
            f"`leaflab audit {lab.name} --revert` puts it back, or promote.force=true promote.why=… goes on from here"
        )
        raise CheckFailed(f"the champion of '{lab.name}'", f"{said}, the ledger says version {recorded}", hint=hint)
    return found


def candidate(lab: Lab, champion: Version | None) -> Version:
    """The version that asks; the champion itself where nobody waits.

    Raises:
        ModelError: there is no such version.
    """
    registry, asked = lab.tracking.registry, lab.promote
    waiting = asked.version or registry.version(lab.name, alias=asked.alias)
    if not waiting and champion and asked.alias == CHALLENGER:
        return champion
    return asked_version(lab, asked.alias, asked.version)


def against(lab: Lab, verdicts: Iterable[Verdict], champion: Version | None) -> list[Verdict]:
    """The verdicts that stand in the way; a champion that cannot be compared with is no excuse."""
    excused = set(lab.promote.not_applicable) - ({"beats_champion"} if champion else set())
    return [v for v in verdicts if v.outcome == "failed" or (v.outcome == "not applicable" and v.name not in excused)]


def new_entry(ledger: Ledger, outcome: str, version: Version, champion: int | None, why: str | None) -> Entry:
    """The next entry of a ledger."""
    number, digest, _ = ledger.head
    return Entry(
        number=number + 1,
        previous=digest,
        outcome=outcome,
        version=version.number,
        champion=champion,
        when=round(time.time(), 3),
        who=who(),
        why=(why or "").strip(),
    )


def who() -> str:
    """The user and the machine."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):
        return f"unknown@{platform.node()}"


def record_of(lab: Lab, evidence: Evidence, verdicts: Sequence[Verdict], champion: Version | None) -> dict[str, Any]:
    """What later readers need to judge the judgement, as plain values."""
    return {
        "verdicts": [{**v.__dict__, "numbers": dict(v.numbers)} for v in verdicts],
        "metric": evidence.metric.name,
        "challenger": dict(evidence.challenger.metrics),
        "champion": dict(evidence.champion.metrics) if evidence.champion else {},
        "previous": champion.number if champion else None,
        "model": evidence.challenger.facts.get("digest", ""),
        "files": evidence.extra.get("files", ""),
        "run": evidence.challenger.facts.get("run_id", ""),
        "dataset": evidence.dataset.id,
        "digests": dict(evidence.dataset.digests),
        "rows": evidence.table.num_rows,
        "looks": evidence.looks,
        "gates": {name: str(gate) for name, gate in lab.gate.items()},
    }


def table_of(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts as aligned lines."""
    width = max((len(v.name) for v in verdicts), default=0)
    return [f"{v.outcome:<14}  {v.name:<{width}}  {v.sentence}" for v in verdicts]


def previous_champion(entries: Iterable[Entry], current: Version) -> Entry:
    """The entry that made the champion before the present one; what was rolled back is passed over.

    Raises:
        ModelError: there was none.
    """
    reigns: list[Entry] = []
    for entry in entries:
        if entry.outcome == "rolled back":
            while reigns and reigns[-1].champion != entry.champion:
                reigns.pop()
        elif entry.moved and entry.champion and (not reigns or reigns[-1].champion != entry.champion):
            reigns.append(entry)
    before = [entry for entry in reigns if entry.champion != current.number]
    if not before:
        raise ModelError(str(current), "has no champion before it to roll back to")
    return before[-1]
