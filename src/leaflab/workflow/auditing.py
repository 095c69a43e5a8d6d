"""Finds what happened to a registry behind the ledger's back, and puts it right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaflab.errors import LeaflabError, TrackingError
from leaflab.workflow.judging import new_entry
from leaflab.workflow.ledger import CHAMPION, Ledger, opened

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
        version: the champion that the ledger knows, for a moved alias.
    """

    name: str
    kind: str
    sentence: str
    version: int | None = None


def ledgers(lab: Lab) -> list[str]:
    """Names of all models that leaflab trained or judged in this store."""
    tracking = lab.tracking
    judged = {r.tags["leaflab.ledger"] for r in tracking.search(tags={"leaflab.verb": "promote"}, limit=100_000)
              if "leaflab.ledger" in r.tags}  # fmt: skip
    swept = {r.experiment for r in tracking.search(tags={"leaflab.verb": "sweep"}, limit=100_000)}
    return sorted(name for name in judged | swept if tracking.registry.versions(name))


def audit(lab: Lab, name: str, *, revert: bool = False) -> list[Finding]:
    """Everything wrong with one model's ledger, alias and files; with `revert` a moved alias is put back, on record."""
    with opened(lab.tracking, name, lab.folder) as ledger:
        try:
            entries = ledger.entries()
        except TrackingError as error:
            return [Finding(name, "chain", str(error))]
        findings = [*_alias(ledger, entries), *_files(ledger, entries)]
        for found in findings:
            if revert and found.kind == "alias" and found.version:
                _put_back(lab, ledger, found.version)
        return findings


def _alias(ledger: Ledger, entries: list[Entry]) -> Iterator[Finding]:
    name, registry = ledger.name, ledger.tracking.registry
    standing = registry.version(name, alias=CHAMPION)
    now, known = standing.number if standing else None, entries[-1].champion if entries else None
    if not entries and now:
        yield Finding(name, "record", f"'{name}' has version {now} as champion, and no ledger says why.")
    elif now != known:
        is_now = f"version {now}" if now else "nobody"
        by_record = f"version {known}" if known else "nobody"
        sentence = (
            f"'{name}' has {is_now} as champion, the ledger says {by_record}: the alias was moved without a record."
        )
        yield Finding(name, "alias", sentence, known)
    if registry.versions(name) and entries:
        numbers = {v.number for v in registry.versions(name)}
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


def _put_back(lab: Lab, ledger: Ledger, number: int) -> None:
    version = lab.tracking.registry.version(ledger.name, number=number)
    if version is not None:
        why = "the alias was moved without a record; put back by leaflab audit --revert"
        ledger.append(new_entry(ledger, "reverted", version, number, why), ledger.name)
