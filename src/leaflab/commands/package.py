"""`leaflab package`: a model as a folder that runs by itself."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command(help="Writes NAME@ALIAS with pinned requirements, a server and a Dockerfile into a new folder.")
@click.argument("model", metavar="NAME@ALIAS")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The folder to make.")
def command(model: str, output: Path) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.workflow.history import named_version
    from leaflab.workflow.packaging import package

    lab = lab_for("promote", [f"name={model.partition('@')[0]}"])
    version = named_version(lab, model)
    made = package(lab, version, output)
    click.echo(f"{version} is in {made}: pip install -r {made}/requirements.txt, then python {made}/server.py")
    return 0
