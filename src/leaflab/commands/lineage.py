"""`leaflab lineage`: where a model came from, and what it was used for."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command(
    help="From source to answers of NAME@ALIAS or NAME@3: as text, as JSON, or drawn into FILE.svg or FILE.html."
)
@click.argument("model", metavar="NAME@ALIAS")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Draws it into FILE.svg or FILE.html."
)
def command(model: str, as_json: bool, output: Path | None) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.errors import ConfigError
    from leaflab.report.graph import drawn
    from leaflab.report.page import Page
    from leaflab.workflow.history import lineage, named_version

    if output is not None and output.suffix not in (".svg", ".html"):
        raise ConfigError("`--output`", "must end in .svg or .html", got=str(output))
    lab = lab_for("promote", [f"name={model.partition('@')[0]}"])
    found = lineage(lab, named_version(lab, model))
    plain = found.plain()
    if output is not None:
        graph = drawn(plain["nodes"], plain["edges"], f"Lineage of {model}")
        page = Page(f"Lineage of {model}", figures=[graph]).html() if output.suffix == ".html" else graph
        output.write_text(page, encoding="utf-8")
        click.echo(f"Drawn into {output}.")
    elif as_json:
        click.echo(json.dumps(plain, ensure_ascii=False, indent=1))
    else:
        click.echo(str(found))
    return 0
