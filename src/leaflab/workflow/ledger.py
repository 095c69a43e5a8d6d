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
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import TrackingError
from leaflab.identity import fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Artifact, Metric, Tag

if TYPE_CHECKING:
    from leaflab.tracking.base import Tracking

__all__ = ["CHALLENGER", "CHAMPION", "Entry", "Ledger", "opened"]

CHAMPION = "champion"
CHALLENGER = "challenger"
_HEAD = "leaflab.ledger"
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
        """Number, hash and state of the newest entry; (0, "", "settled") before the first."""
        text = self.tracking.registry.model_tags(self.name).get(_HEAD, "")
        number, _, rest = text.partition(":")
        digest, _, state = rest.partition(":")
        return (int(number), digest, state) if number.isdigit() else (0, "", "settled")

    def entries(self) -> list[Entry]:
        """The entries, oldest first, after checking the chain.

        Raises:
            TrackingError: an entry is missing, or was changed after it was written.
        """
        last, digest, _ = self.head
        runs = {int(r.tags["leaflab.entry"]): r for r in self._runs() if r.tags.get("leaflab.entry", "").isdigit()}
        found: list[Entry] = []
        for number in range(1, last + 1):
            run = runs.get(number)
            file = self.tracking.artifact(run.id, _FILE) if run else None
            if run is None or file is None:
                raise TrackingError(f"the ledger of '{self.name}'", f"is broken: entry {number} is missing")
            entry = Entry(**json.loads(file.read_text(encoding="utf-8")), run_id=run.id)
            before = found[-1].hash if found else ""
            if entry.number != number or entry.previous != before or run.tags.get("leaflab.hash") != entry.hash:
                raise TrackingError(f"the ledger of '{self.name}'", f"is broken: entry {number} was changed afterwards")
            found.append(entry)
        if found and found[-1].hash != digest:
            raise TrackingError(
                f"the ledger of '{self.name}'", f"is broken: entry {last} is not the one its head names"
            )
        return found

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
        for run in self._runs():
            if run.status == "RUNNING" and int(run.tags.get("leaflab.entry", 0)) > number:
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
        tags = {"leaflab.outcome": entry.outcome, "leaflab.judged": str(entry.number), **verdicts}
        registry.tag(self.name, entry.version, tags)
        self._set_head(entry, "settled")

    def _set_head(self, entry: Entry, state: str) -> None:
        self.tracking.registry.tag(self.name, None, {_HEAD: f"{entry.number}:{entry.hash}:{state}"})

    def _runs(self) -> list[Any]:
        return self.tracking.search(tags={"leaflab.verb": "promote", "leaflab.ledger": self.name}, limit=100_000)


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
