"""`leaflab reproduce`: makes the model of a run again and compares it byte by byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from leaflab.workflow.lab import Lab

__all__ = ["command"]


@click.command(name="reproduce")
@click.argument("run_id")
@click.argument("overrides", nargs=-1)
def command(run_id: str, overrides: tuple[str, ...]) -> int:
    """Retrain the model of RUN_ID (a sweep or a trial) from its recorded data, configuration and seed.

    OVERRIDES are those of the store (tracking=server …). Exit code 3 where the result is not identical.
    """
    from leaflab.door.compose import lab_for
    from leaflab.values import Tag
    from leaflab.workflow.reproducing import reproduced, sweep_of

    looking = lab_for("promote", ["name=reproduce", *overrides])
    run, sweep = sweep_of(looking, run_id)
    lab = _lab_of(looking, sweep.id, overrides)
    result = reproduced(lab, run, sweep)
    looking.tracking.annotate(run.id, [Tag("leaflab.reproduced", "true" if result.identical else "differs")])
    click.echo(str(result))
    return result.exit_code


def _lab_of(looking: Lab, sweep: str, overrides: tuple[str, ...]) -> Lab:
    """The lab of the sweep's recorded command."""
    from leaflab.door.compose import lab_for
    from leaflab.errors import ModelError

    file = looking.tracking.artifact(sweep, "overrides.json")
    if file is None:
        raise ModelError(f"run {sweep}", "does not say which command made it")
    words = [str(word) for word in json.loads(file.read_text(encoding="utf-8"))]
    return lab_for("sweep", [*words, *overrides])
