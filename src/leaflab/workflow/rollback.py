"""One step back: the champion before is champion again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from leaflab.errors import ModelError
from leaflab.workflow.judging import new_entry
from leaflab.workflow.promoted import Promoted
from leaflab.workflow.summary import summarised

if TYPE_CHECKING:
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Entry, Ledger

__all__ = ["roll_back"]


def roll_back(lab: Lab, ledger: Ledger, champion: Version | None) -> Promoted:
    """Gives the alias back to the champion before, with the record it was promoted by.

    Raises:
        ModelError: there is no champion, or none before it.
    """
    if champion is None:
        raise ModelError(f"'{lab.name}'", "has no champion to roll back")
    before = _previous(ledger.entries(), champion)
    version = lab.tracking.registry.version(lab.name, number=before.champion)
    if version is None:
        raise ModelError(f"version {before.champion} of '{lab.name}'", "was champion before and is gone")
    entry = new_entry(ledger, "rolled back", version, version.number, lab.promote.why)
    record = {**before.record, "previous": champion.number, "judged": before.number}
    entry = ledger.append(replace(entry, record=record), lab.name, tags={"mlflow.note.content": summarised(entry)})
    sentence = f"{version} is champion again instead of version {champion.number}."
    return Promoted("rolled back", version, sentence, run_id=entry.run_id)


def _previous(entries: Iterable[Entry], current: Version) -> Entry:
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
