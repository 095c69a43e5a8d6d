"""`leaflab approve`: a human's yes to a version that passed its gates."""

from __future__ import annotations

import click

from leaflab.values import typed

__all__ = ["command"]


@click.command(help="Makes VERSION of NAME champion after it passed its gates under promote.approve=manual.")
@click.argument("name")
@click.argument("version", type=int)
@click.option("--why", required=True, help="The reason, kept in the ledger.")
def command(name: str, version: int, why: str) -> int:
    from dataclasses import replace

    from leaflab.door.compose import lab_for
    from leaflab.errors import ConfigError, ModelError
    from leaflab.workflow.judging import holder, new_entry
    from leaflab.workflow.ledger import opened
    from leaflab.workflow.summary import summarised

    if not why.strip():
        raise ConfigError("`--why`", "must give a reason")
    lab = lab_for("promote", [f"name={name}"])
    with opened(lab.tracking, lab.name, lab.folder) as ledger:
        champion = holder(lab, ledger)
        judged = next((e for e in reversed(ledger.entries()) if e.version == version), None)
        again = f"`{typed('promote', name, f'promote.version={version}', 'promote.approve=manual')}`"
        found = lab.tracking.registry.version(name, number=version)
        if judged is None or judged.outcome != "pending" or found is None:
            said = f"is {judged.outcome}" if judged else "was never judged"
            raise ModelError(f"'{name}' version {version}", f"{said}, not pending", hint=f"judge it by {again}")
        if judged.champion != (champion.number if champion else None):
            rule = "was judged against another champion than the present one"
            raise ModelError(f"'{name}' version {version}", rule, hint=f"judge it again by {again}")
        entry = new_entry(ledger, "approved", found, version, why)
        entry = replace(entry, record={**judged.record, "pending": judged.number})
        ledger.append(entry, lab.name, tags={"mlflow.note.content": summarised(entry)})
    click.echo(f"{found} is champion{f' instead of version {champion.number}' if champion else ''}.")
    return 0
