"""`leaflab new`: makes a research repository that runs at once."""

from __future__ import annotations

from pathlib import Path
from string import Template

import click

from leaflab.errors import ConfigError

__all__ = ["command"]

_TEMPLATE = Path(__file__).resolve().parents[1] / "template"
_RENAMED = {"gitignore": ".gitignore"}


@click.command(help="Makes a research repository NAME: experiments, own options, MLproject, CI.")
@click.argument("name")
def command(name: str) -> None:
    made = scaffold(Path(name))
    click.echo(f"Made {made}. Next:\n\n  cd {made}\n  leaflab run experiment=first\n  leaflab ui")


def scaffold(folder: Path) -> Path:
    """Writes the template into a new folder and returns it.

    Raises:
        ConfigError: the folder is there already, or its name cannot name a package.
    """
    name = folder.name
    if not name.replace("-", "_").isidentifier():
        raise ConfigError("NAME", "must be letters, digits, - and _, starting with a letter", got=name)
    if folder.exists():
        raise ConfigError(f"'{folder}'", "is there already", hint="choose another name")
    for file in sorted(p for p in _TEMPLATE.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        inside = file.relative_to(_TEMPLATE)
        target = folder / inside.with_name(_RENAMED.get(inside.name, inside.name.replace("mine", name)))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(file.read_text(encoding="utf-8")).safe_substitute(name=name), encoding="utf-8")
    return folder
