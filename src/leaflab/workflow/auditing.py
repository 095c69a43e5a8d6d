"""Finds what happened to a registry behind the ledger's back, and puts it right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leaflab.errors import LeaflabError, TrackingError
from leaflab.values import typed
from leaflab.workflow.judging import new_entry
from leaflab.workflow.ledger import BROKEN, CHAMPION, Ledger, opened, promotion_of

if TYPE_CHECKING:
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Entry

__all__ = ["Finding", "audit", "ledgers"]


@dataclass(frozen=True)
class Finding:
    """Something that should not be.

    Args:
        name: the registered model.
        kind: "chain", "alias", "record" or "files".
        sentence: what was found.
        version: the champion that the ledger knows, for a moved alias; None where it knows of none.
    """

    name: str
    kind: str
    sentence: str
    version: int | None = None


def ledgers(lab: Lab) -> list[str]:
    """Names of all models that leaflab trained or judged in this store, those included that are gone."""
    tracking = lab.tracking
    judged = {r.tags["leaflab.ledger"] for r in tracking.search(tags={"leaflab.verb": "promote"}, limit=100_000)
              if "leaflab.ledger" in r.tags}  # fmt: skip
    swept = {r.experiment for r in tracking.search(tags={"leaflab.verb": "sweep"}, limit=100_000)}
    return sorted(judged | {name for name in swept if tracking.registry.versions(name)})


def audit(lab: Lab, name: str, *, revert: bool = False) -> list[Finding]:
    """Everything wrong with one model's ledger, alias and files; with `revert` a moved alias is put back, on record."""
    try:
        with opened(lab.tracking, name, lab.folder) as ledger:
            entries = ledger.entries()
            findings = [*_alias(ledger, entries), *_files(ledger, entries)]
            return [_put_back(ledger, found) for found in findings] if revert else findings
    except TrackingError as error:
        if not error.rule.startswith(BROKEN):
            raise
        return [Finding(name, "chain", str(error))]


def _alias(ledger: Ledger, entries: list[Entry]) -> Iterator[Finding]:
    name, registry = ledger.name, ledger.tracking.registry
    standing = registry.version(name, alias=CHAMPION)
    now, known = standing.number if standing else None, entries[-1].champion if entries else None
    if entries and now != known:
        is_now, by_record = (f"version {number}" if number else "nobody" for number in (now, known))
        sentence = (
            f"'{name}' has {is_now} as champion, the ledger says {by_record}: the alias was moved without a record."
        )
        yield Finding(name, "alias", sentence, known)
    elif now and promotion_of(entries, now) is None:
        way = f"`{typed('promote', name, f'promote.version={now}')}` judges it"
        yield Finding(name, "record", f"'{name}' has version {now} as champion, and no ledger says why: {way}.")
    numbers = {version.number for version in registry.versions(name)}
    for gone in sorted({e.champion for e in entries if e.champion} - numbers):
        yield Finding(name, "files", f"'{name}' version {gone} was champion and has been deleted.")


def _files(ledger: Ledger, entries: list[Entry]) -> Iterator[Finding]:
    """Versions that were champion and whose files are not those that were judged."""
    judged = {e.version: str(e.record["files"]) for e in entries if e.moved and e.record.get("files")}
    for number, digest in judged.items():
        version = ledger.tracking.registry.version(ledger.name, number=number)
        if version is None:
            continue
        try:
            same = ledger.tracking.registry.digest(version) == digest
        except LeaflabError as error:
            yield Finding(ledger.name, "files", f"{version} cannot be read: {error}")
            continue
        if not same:
            yield Finding(ledger.name, "files", f"The files of {version} are not those that were judged.")


def _put_back(ledger: Ledger, found: Finding) -> Finding:
    """Moves a moved alias to where the ledger has it, which may be nowhere."""
    if found.kind != "alias":
        return found
    registry = ledger.tracking.registry
    wanted = registry.version(ledger.name, number=found.version)
    moved = wanted or registry.version(ledger.name, alias=CHAMPION)
    if moved is None or (found.version and wanted is None):
        return replace(found, sentence=f"{found.sentence} It cannot be put back: version {found.version} is deleted.")
    why = "the alias was moved without a record; put back by leaflab audit --revert"
    ledger.append(new_entry(ledger, "reverted", moved, found.version, why), ledger.name)
    back = f"Put back to version {found.version}" if found.version else "Taken away again"
    return replace(found, sentence=f"{found.sentence} {back}.")
