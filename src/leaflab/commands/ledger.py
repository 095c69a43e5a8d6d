"""`leaflab ledger`: every judgement of a model's versions, its chain checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from leaflab.values import typed

if TYPE_CHECKING:
    from leaflab.workflow.ledger import Entry

__all__ = ["command"]


@click.command(help="The judgements of NAME, oldest first; what was forced stands in red. A broken chain is an error.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON, records included.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False), help="Writes the newest verdicts as JUnit XML.")
@click.option("--markdown", is_flag=True, help="The newest judgement as Markdown, for a CI summary.")
def command(name: str, as_json: bool, junit_file: str | None, markdown: bool) -> int:
    from pathlib import Path

    from leaflab.door.compose import lab_for
    from leaflab.errors import ModelError
    from leaflab.workflow.ledger import opened
    from leaflab.workflow.summary import junit, summarised

    lab = lab_for("promote", [f"name={name}"])
    with opened(lab.tracking, lab.name, lab.folder) as ledger:
        entries = ledger.entries()
    if not entries and not lab.tracking.registry.versions(lab.name):
        raise ModelError(f"'{name}'", "is no registered model", hint="`leaflab runs` lists what there is")
    judged = next((e for e in reversed(entries) if e.record.get("verdicts")), None)
    if junit_file:
        Path(junit_file).write_text(junit(judged.record["verdicts"] if judged else (), name), encoding="utf-8")
    if markdown:
        click.echo(summarised(judged) if judged else f"'{name}' was never judged.")
    elif as_json:
        plain = [{**e.plain(), "hash": e.hash, "run_id": e.run_id} for e in entries]
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
    elif not entries:
        click.echo(f"'{name}' was never judged: run `{typed('promote', name)}`.")
    else:
        for entry in entries:
            click.echo(_line(entry))
    return 0


def _line(entry: Entry) -> str:
    from leaflab.workflow.summary import when

    failed = [v["name"] for v in entry.record.get("verdicts", ()) if v["outcome"] == "failed"]
    against = f" against {', '.join(failed)}" if failed and entry.outcome in ("forced", "refused") else ""
    why = f"  “{entry.why}”" if entry.why else ""
    standing = f"champion {entry.champion}" if entry.champion else "no champion"
    text = (
        f"{entry.number:>4}  {when(entry.when)}  {entry.outcome:<11} version {entry.version}{against}, {standing}  "
        f"{entry.who}{why}"
    )
    colour = {"forced": "red", "refused": "yellow", "reverted": "red"}.get(entry.outcome)
    return click.style(text, fg=colour) if colour else text
