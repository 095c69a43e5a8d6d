"""What `--help` prints; made from the configuration folders, without Hydra."""

from __future__ import annotations

import ast
from pathlib import Path

from leaflab.door.places import conf_folders, descriptions, nouns, options

__all__ = ["commands", "general", "of_verb"]

_COMMANDS = Path(__file__).resolve().parents[1] / "commands"


def commands() -> dict[str, str]:
    """Small command to what it does: the first line of its module's docstring."""
    found = {}
    for file in sorted(_COMMANDS.glob("[a-z]*.py")):
        doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        found[file.stem] = doc.partition("\n")[0].rstrip(".").removeprefix(f"`leaflab {file.stem}`: ")
    return found


def general() -> str:
    """`leaflab --help`."""
    lines = [
        "leaflab VERB [noun=option] [key=value] [-m]",
        "",
        "  leaflab run source.path=prices.csv dataset.target=price search.seconds=60",
        "  leaflab sweep experiment=flights search.seconds=300",
        "",
        "Verbs:",
        *_table(descriptions()),
        "",
        "Commands that look around:",
        *_table(commands()),
        "",
        "leaflab VERB --help lists a verb's nouns and keys; -m runs several jobs; --cfg job shows the configuration;",
        "-q and -v say less and more; -sc install=bash sets up completion.",
    ]
    return "\n".join(lines)


def of_verb(verb: str) -> str:
    """`leaflab VERB --help`: its nouns with their options, and where to read on."""
    groups = {noun: ", ".join(options(noun)) for noun in nouns() if options(noun)}
    for folder in conf_folders():
        for sub in sorted(p for noun in nouns() for p in (folder / noun).glob("*/") if p.is_dir()):
            name = f"{sub.parent.name}/{sub.name}"
            groups[name] = ", ".join(options(name))
    lines = [
        f"leaflab {verb} [noun=option] [key=value] [-m]: {descriptions()[verb]}.",
        "",
        "Nouns and their options (noun=option):",
        *_table(dict(sorted(groups.items()))),
        "",
        f"Keys (key=value): leaflab {verb} --cfg job shows them all, with the values they have.",
    ]
    return "\n".join(lines)


def _table(rows: dict[str, str]) -> list[str]:
    width = max((len(name) for name in rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows.items()]
