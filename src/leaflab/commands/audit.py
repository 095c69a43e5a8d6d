"""`leaflab audit`: finds what was done to a registry behind the ledger's back."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

__all__ = ["command"]


@click.command(
    help="Finds aliases moved without a record, broken ledgers and changed files, of NAME or of every model; exit 3 "
    "with a sentence each."
)
@click.argument("name", required=False)
@click.option("--revert", is_flag=True, help="Puts a moved champion back, on record.")
@click.option("--poll", type=click.FloatRange(0.1), metavar="SECONDS", help="Looks again and again until stopped.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(name: str | None, revert: bool, poll: float | None, as_json: bool) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.errors import ModelError
    from leaflab.workflow.auditing import audit, ledgers

    lab = lab_for("promote", [f"name={name or 'audit'}"])
    if name and not lab.tracking.registry.versions(name) and name not in ledgers(lab):
        raise ModelError(f"'{name}'", "is no registered model")
    said: set[str] = set()
    code = 0
    while True:
        names = [name] if name else ledgers(lab)
        found = [finding for each in names for finding in audit(lab, each, revert=revert)]
        code = 3 if found else code
        if as_json:
            click.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
        else:
            for finding in found:
                if finding.sentence not in said or not poll:
                    click.echo(click.style(finding.sentence, fg="red"))
            if not found and not said and not poll:
                click.echo(f"{', '.join(names) or 'No model'}: every champion has its record and its files.")
        said = {finding.sentence for finding in found}
        if not poll:
            return code
        time.sleep(poll)
