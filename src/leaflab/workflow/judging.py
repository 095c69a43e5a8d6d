"""Who is judged, whose place is at stake, and what the ledger keeps of it."""

from __future__ import annotations

import getpass
import platform
import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leaflab.errors import CheckFailed
from leaflab.workflow.evidence import asked_version
from leaflab.workflow.ledger import CHALLENGER, CHAMPION, Entry, Ledger

if TYPE_CHECKING:
    from leaflab.values import Evidence, Verdict, Version
    from leaflab.workflow.lab import Lab

__all__ = ["candidate", "holder", "new_entry", "record_of", "who"]


def holder(lab: Lab, ledger: Ledger) -> Version | None:
    """The version with the alias `champion` of a ledger's model.

    Raises:
        TrackingError: the ledger is broken.
        CheckFailed: somebody moved the alias without a record.
    """
    found = ledger.tracking.registry.version(ledger.name, alias=CHAMPION)
    entries = ledger.entries()
    recorded = entries[-1].champion if entries else None
    if entries and (found.number if found else None) != recorded and not lab.promote.force:
        said = f"points to version {found.number}" if found else "is gone"
        back = f"`leaflab audit {shlex.quote(ledger.name)} --revert` puts it back"
        hint = f"{back}, or promote.force=true promote.why=… goes on from here"
        raise CheckFailed(f"the champion of '{ledger.name}'", f"{said}, the ledger says version {recorded}", hint=hint)
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
