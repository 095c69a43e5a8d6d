"""The ledger: every judgement of a model's versions, one MLflow run an entry, each holding the hash of the one before.

The registered model's tag `leaflab.ledger` holds the head: number, hash and state. A promotion writes in this order, so
that a process killed between any two writes leaves something the next command can finish or drop:

    1. the entry's run, whole, under the next number     (not yet part of the ledger)
    2. the head, state "moving"                          (the entry counts from here)
    3. the aliases and the version's tags                (repeatable)
    4. the head, state "settled"

A head that says "moving" is carried on to 4; a run beyond the head is dropped.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import TrackingError
from leaflab.identity import fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Metric, Tag

if TYPE_CHECKING:
    from leaflab.tracking.base import Record, Tracking

__all__ = ["BROKEN", "CHALLENGER", "CHAMPION", "Entry", "Ledger", "opened", "promotion_of"]

CHAMPION = "champion"
CHALLENGER = "challenger"
BROKEN = "is broken"
"""How the rule of an error begins that tells of a ledger edited by hand."""
_HEAD = "leaflab.ledger"
_JUDGED = "leaflab.judged"
_FILE = "gate-record.json"


@dataclass(frozen=True)
class Entry:
    """One judgement.

    Args:
        number: 1, 2, …
        previous: hash of the entry before, "" for the first.
        outcome: "promoted", "forced", "approved", "rolled back", "reverted" or "copied", which move the alias, or
            "refused" or "pending", which do not.
        version: the version judged.
        champion: the version that holds the alias after this entry; None where there is none.
        when: seconds since the epoch.
        who: user and machine.
        why: the reason given.
        record: verdicts, metrics, digests, as plain values.
        run_id: the MLflow run that holds it.
    """

    number: int
    previous: str
    outcome: str
    version: int
    champion: int | None
    when: float
    who: str
    why: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""

    def plain(self) -> dict[str, Any]:
        """What is hashed: everything but the run's id."""
        return {k: v for k, v in self.__dict__.items() if k != "run_id"}

    @property
    def hash(self) -> str:
        return fold(json.loads(json.dumps(self.plain())))

    @property
    def moved(self) -> bool:
        return self.outcome not in ("refused", "pending")


@dataclass(frozen=True)
class Ledger:
    """The ledger of one registered model; make one with `opened`."""

    tracking: Tracking
    name: str

    @property
    def head(self) -> tuple[int, str, str]:
        """Number, hash and state of the newest entry; (0, "", "settled") before the first.

        Raises:
            TrackingError: the tag that holds them was edited.
        """
        text = self.tracking.registry.model_tags(self.name).get(_HEAD)
        if text is None:
            return 0, "", "settled"
        if not (said := re.fullmatch(r"([1-9]\d*):([0-9a-f]+):(moving|settled)", text)):
            raise self._broken(f"its head (tag `{_HEAD}`) was edited")
        return int(said[1]), said[2], said[3]

    def entries(self) -> list[Entry]:
        """The entries, oldest first, after checking the chain.

        Raises:
            TrackingError: an entry is missing, or was changed after it was written.
        """
        last, digest, _ = self.head
        runs = self._runs()
        found: list[Entry] = []
        for number in range(1, last + 1):
            entry = self._read(number, runs.get(number))
            if entry is None or entry.number != number or entry.previous != (found[-1].hash if found else ""):
                raise self._broken(f"entry {number} was changed afterwards")
            found.append(entry)
        if found and found[-1].hash != digest:
            raise self._broken(f"entry {last} is not the one its head names")
        if (cut := self._carried_out(runs)) > last:
            hint = f"put the registered model's tag `{_HEAD}` back, or delete the runs of its entries to begin anew"
            raise self._broken(
                f"entry {cut} was carried out, its head names {f'entry {last}' if last else 'none'}", hint
            )
        return found

    def _read(self, number: int, run: Record | None) -> Entry | None:
        """The entry that a run holds; None where it is not as it was written."""
        file = self.tracking.artifact(run.id, _FILE) if run else None
        if run is None or file is None:
            raise self._broken(f"entry {number} is missing")
        try:
            entry = Entry(**json.loads(file.read_text(encoding="utf-8")), run_id=run.id)
        except (TypeError, ValueError):
            return None
        return entry if run.tags.get("leaflab.hash") == entry.hash else None

    def _carried_out(self, runs: Mapping[int, Record]) -> int:
        """The newest entry that was carried out, as runs and versions know it; a killed one leaves one run more."""
        versions = self.tracking.registry.versions(self.name)
        judged = [version.tags.get(_JUDGED, "") for version in versions]
        left = 1 if versions else 0
        return max([max(runs, default=0) - left, *(int(number) for number in judged if number.isdigit())])

    def _broken(self, what: str, hint: str = "") -> TrackingError:
        return TrackingError(f"the ledger of '{self.name}'", f"{BROKEN}: {what}", hint=hint)

    def append(
        self,
        entry: Entry,
        experiment: str,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Entry:
        """Writes an entry, moves the alias if it says so, and settles the head.

        Args:
            entry: the next one.
            experiment: where its run lies.
            metrics: of the version judged.
            tags: further tags of the run.
        """
        spec = RunSpec(
            experiment=experiment,
            verb="promote",
            name=f"{entry.outcome} {self.name} version {entry.version}",
            key=f"ledger/{self.name}/{entry.number}",
            tags={"leaflab.ledger": self.name, "leaflab.entry": str(entry.number)},
        )
        said = {
            "leaflab.hash": entry.hash,
            "leaflab.outcome": entry.outcome,
            "leaflab.version": str(entry.version),
            "leaflab.champion": str(entry.champion or ""),
            "leaflab.why": entry.why,
            **(tags or {}),
        }
        with self.tracking.start(spec) as run:
            run.log(Metric(key, value) for key, value in (metrics or {}).items())
            run.log([Artifact(_FILE, json.dumps(entry.plain(), ensure_ascii=False, indent=1))])
            run.log(Tag(key, value) for key, value in said.items() if value)
        self._set_head(entry, "moving")
        self._carry_out(entry)
        return replace(entry, run_id=run.id)

    def recover(self) -> None:
        """Finishes what a killed promotion began."""
        number, _, state = self.head
        if state == "moving":
            self._carry_out(self.entries()[-1])
        for entry, run in self._runs().items():
            if run.status == "RUNNING" and entry > number:
                spec = RunSpec(
                    experiment=run.experiment, verb="promote", name=run.name, key=f"ledger/{self.name}/{number + 1}"
                )
                self.tracking.start(spec).end("KILLED")

    def _carry_out(self, entry: Entry) -> None:
        """Repeatable: the aliases as the entry has them, then the head settled."""
        registry = self.tracking.registry
        if entry.moved:
            registry.point(self.name, CHAMPION, entry.champion)
            waiting = registry.version(self.name, alias=CHALLENGER)
            if waiting and waiting.number == entry.champion:
                registry.point(self.name, CHALLENGER, None)
        verdicts = {
            f"leaflab.gate.{v['name']}": f"{v['outcome']}: {v['sentence']}" for v in entry.record.get("verdicts", [])
        }
        tags = {"leaflab.outcome": entry.outcome, _JUDGED: str(entry.number), **verdicts}
        registry.tag(self.name, entry.version, tags)
        self._set_head(entry, "settled")

    def _set_head(self, entry: Entry, state: str) -> None:
        self.tracking.registry.tag(self.name, None, {_HEAD: f"{entry.number}:{entry.hash}:{state}"})

    def _runs(self) -> dict[int, Record]:
        """The runs of the entries by their number."""
        tags = {"leaflab.verb": "promote", "leaflab.ledger": self.name}
        numbered = ((run.tags.get("leaflab.entry", ""), run) for run in self.tracking.search(tags=tags, limit=100_000))
        return {int(number): run for number, run in numbered if number.isdigit()}


def promotion_of(entries: Sequence[Entry], champion: int) -> Entry | None:
    """The newest entry by which a version is or was champion."""
    return next((e for e in reversed(entries) if e.moved and e.champion == champion), None)


@contextmanager
def opened(tracking: Tracking, name: str, folder: Path, *, patience: float = 600.0) -> Iterator[Ledger]:
    """The ledger of a model, locked against other processes of this project folder, after recovery.

    Raises:
        TrackingError: another promotion holds it for longer than `patience` seconds.
    """
    import fcntl

    file = folder / "locks" / f"ledger-{name}-{fold({'store': tracking.uri})[:8]}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrackingError(
                        f"the ledger of '{name}'", "is held by another promotion", hint="try again"
                    ) from None
                time.sleep(0.05)
        ledger = Ledger(tracking, name)
        ledger.recover()
        yield ledger
