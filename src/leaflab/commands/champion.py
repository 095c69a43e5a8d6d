"""`leaflab champion`: who is champion now, or was at any moment, and why."""

from __future__ import annotations

import json
import time

import click

from leaflab.values import typed

__all__ = ["command"]


@click.command(help="The champion of NAME, now or at a date: which version, since when, by whose decision.")
@click.argument("name")
@click.option("--at", help="A date or time in UTC (2026-03-01 means its end).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(name: str, at: str | None, as_json: bool) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.errors import ModelError
    from leaflab.workflow.history import champion_at, moment
    from leaflab.workflow.ledger import opened
    from leaflab.workflow.summary import when

    at_moment = moment(at) if at else time.time()
    lab = lab_for("promote", [f"name={name}"])
    with opened(lab.tracking, lab.name, lab.folder) as ledger:
        entry = champion_at(ledger.entries(), at_moment)
    if entry is None or entry.champion is None:
        asked = f"had no champion at {at}" if at else "has no champion yet"
        raise ModelError(f"'{name}'", asked, hint=f"run `{typed('promote', name)}` first" if not at else "")
    version = lab.tracking.registry.version(name, number=entry.champion)
    if as_json:
        click.echo(json.dumps({**entry.plain(), "run_id": entry.run_id, "name": name}, ensure_ascii=False))
        return 0
    since = f"since {when(entry.when)}, {entry.outcome} by {entry.who}"
    gone = "" if version else " (deleted since)"
    why = f": {entry.why}" if entry.why else ""
    click.echo(f"{name} version {entry.champion}{gone}, {since}{why} (ledger entry {entry.number}, run {entry.run_id})")
    return 0
