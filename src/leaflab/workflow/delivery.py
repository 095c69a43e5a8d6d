"""From stage to stage: a champion is copied to another name or another server, with its evidence."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from leaflab.errors import ConfigError, ModelError
from leaflab.identity import fold
from leaflab.tracking.base import RunSpec
from leaflab.values import Metric, Model, typed
from leaflab.workflow.judging import holder, new_entry
from leaflab.workflow.ledger import opened, promotion_of
from leaflab.workflow.promoted import Promoted
from leaflab.workflow.summary import summarised

if TYPE_CHECKING:
    from leaflab.tracking.base import Tracking
    from leaflab.values import Version
    from leaflab.workflow.lab import Lab
    from leaflab.workflow.ledger import Ledger

__all__ = ["deliver"]


def deliver(lab: Lab, source: Ledger, champion: Version | None) -> Promoted:
    """Copies a champion to `promote.to`: a registered model's name in this store, or the URI of another store.

    The copy is champion there: it was judged here, and the record of that judgement is in the ledger there.

    Raises:
        ConfigError: `promote.to` is this very model.
        ModelError: there is no champion, or the ledger here has no record of it.
        CheckFailed: somebody moved the alias there without a record.
    """
    if champion is None:
        hint = f"run `{typed('promote', lab.name)}` first"
        raise ModelError(f"'{lab.name}'", "has no champion to copy", hint=hint)
    tracking, name = _target(lab)
    judged = promotion_of(source.entries(), champion.number)
    if judged is None:
        hint = f"judge it first: `{typed('promote', lab.name, f'promote.version={champion.number}')}`"
        raise ModelError(str(champion), "has no record in the ledger", hint=hint)
    with opened(tracking, name, lab.folder) as ledger:
        standing = holder(lab, ledger)
        version = _copied(lab, tracking, name, champion)
        if standing and standing.number == version.number:
            return _said(lab, champion, version)
        entry = new_entry(ledger, "copied", version, version.number, lab.promote.why)
        origin = {"store": lab.tracking.uri, "name": lab.name, "version": champion.number, "entry": judged.plain()}
        files = tracking.registry.digest(version)
        entry = replace(entry, record={**judged.record, "files": files, "origin": origin})
        written = ledger.append(entry, name, tags={"mlflow.note.content": summarised(entry)})
    return _said(lab, champion, version, written.run_id)


def _said(lab: Lab, champion: Version, made: Version, run_id: str = "") -> Promoted:
    return Promoted("copied", made, f"{champion} is champion of {lab.promote.to} as {made}.", run_id=run_id)


def _target(lab: Lab) -> tuple[Tracking, str]:
    to = lab.promote.to or ""
    if "://" not in to:
        if to == lab.name:
            raise ConfigError("`promote.to`", "must be another model or another store", got=to)
        return lab.tracking, to
    from leaflab.tracking.local import Local
    from leaflab.tracking.server import Server

    kind = Server if to.startswith(("http://", "https://")) else Local
    return kind(home=lab.home, uri=to), lab.name


def _copied(lab: Lab, tracking: Tracking, name: str, champion: Version) -> Version:
    """The same files as a version there; copying twice makes one."""
    scorer = lab.tracking.registry.scorer(champion)
    record = lab.tracking.get(champion.run_id)
    kept = {k: v for k, v in (record.tags if record else {}).items() if k in ("leaflab.dataset", "leaflab.sweep")}
    origin = {
        "leaflab.from": lab.tracking.uri,
        "leaflab.from_name": lab.name,
        "leaflab.from_version": str(champion.number),
    }
    digest = fold(scorer.files())
    spec = RunSpec(name, "promote", f"copy of {champion}", key=f"copy/{name}/{digest}", tags={**kept, **origin})
    known = next((v for v in tracking.registry.versions(name) if v.tags.get("leaflab.digest") == digest), None)
    if known:
        return known
    with tracking.start(spec) as run:
        metrics = dict(record.metrics) if record else {}
        run.log([Model(scorer.files(), metrics=metrics), Metric("time/copied", time.time())])
    return tracking.registry.register(name, run.id, {**kept, **origin, "leaflab.digest": digest})
