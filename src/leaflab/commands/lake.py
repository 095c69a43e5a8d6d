"""`leaflab lake`: lists tables and versions of the lake, and tidies them up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from leaflab.errors import LakeError

if TYPE_CHECKING:
    from leaflab.lake.base import TableVersion
    from leaflab.lake.delta import Delta

__all__ = ["command"]

_UNITS = ("B", "kB", "MB", "GB", "TB")


@click.group(invoke_without_command=True, help="Tables of the lake: rows, size, digest, source.")
@click.option("--set", "keys", multiple=True, metavar="KEY=VALUE", help="another lake, as in --set lake=s3")
@click.option("--json", "plain", is_flag=True, help="machine-readable")
@click.pass_context
def command(context: click.Context, keys: tuple[str, ...], plain: bool) -> None:
    context.obj = keys
    if context.invoked_subcommand is None:
        lake = _lake(keys)
        _print([v for v in map(lake.current, lake.tables()) if v is not None], plain)


@command.command(help="Every version of a table, oldest first.")
@click.argument("name")
@click.option("--json", "plain", is_flag=True, help="machine-readable")
@click.pass_obj
def versions(keys: tuple[str, ...], name: str, plain: bool) -> None:
    found = _lake(keys).versions(name)
    if not found:
        raise LakeError(f"'{name}'", "is not in the lake", hint="run `leaflab lake` to see what is")
    _print(found, plain)


@command.command(help="Removes files that no version names, left behind by killed writers.")
@click.argument("names", nargs=-1)
@click.option("--days", type=click.FloatRange(min=0), default=7.0, show_default=True, help="younger files stay")
@click.option("--history", is_flag=True, help="also what only older versions hold: they cannot be read any more")
@click.option("--dry-run", is_flag=True, help="say what would go")
@click.pass_obj
def vacuum(keys: tuple[str, ...], names: Sequence[str], days: float, history: bool, dry_run: bool) -> None:
    from leaflab.lake import care

    lake = _lake(keys)
    for name in names or lake.tables():
        gone = care.waste(lake, name, days=days, history=history)
        for each in gone:
            click.echo(f"{name}/{each.path}  {_size(each.size)}  {each.why}")
        if not dry_run:
            care.vacuum(lake, name, gone)
        if gone or names:
            what = "would go" if dry_run else "went"
            click.echo(f"{name}: {len(gone)} files, {_size(sum(each.size for each in gone))} {what}")


@command.command(help="Writes tables that lie in many small files into few large ones; a new version, the same rows.")
@click.argument("names", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="say how many files there are")
@click.pass_obj
def compact(keys: tuple[str, ...], names: Sequence[str], dry_run: bool) -> None:
    from leaflab.lake import care

    lake = _lake(keys)
    for name in names:
        files = care.crowded(lake, name)
        if dry_run or files < 2:
            click.echo(f"{name}: {files} files{'' if files > 1 else ', nothing to do'}")
            continue
        version = care.compact(lake, name)
        click.echo(f"{name}: {files} files became {care.crowded(lake, name)} in version {version.version}")


def _lake(keys: Sequence[str]) -> Delta:
    from leaflab.door.compose import lab_for
    from leaflab.lake.delta import Delta

    lake = lab_for("collect", ["name=lake", *keys]).lake
    if not isinstance(lake, Delta):
        raise LakeError("`leaflab lake`", "knows Delta lakes only", got=type(lake).__name__)
    return lake


_COLUMNS: dict[str, Callable[[TableVersion], Any]] = {
    "table": lambda v: v.name,
    "version": lambda v: str(v.version),
    "rows": lambda v: f"{v.rows:,}",
    "size": lambda v: _size(v.size),
    "digest": lambda v: v.digest[:12],
    "written": lambda v: datetime.fromtimestamp(v.written).isoformat(" ", "seconds"),
    "source": lambda v: str(v.meta.get("uri", "")),
}


def _print(found: Sequence[TableVersion], plain: bool) -> None:
    if plain:
        click.echo(json.dumps([asdict(version) for version in found], indent=2, default=str))
        return
    if not found:
        click.echo("The lake is empty: `leaflab collect source.path=FILE` fills it.")
        return
    rows = [[*_COLUMNS], *([str(show(version)) for show in _COLUMNS.values()] for version in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = {1, 2, 3}
    for row in rows:
        cells = [c.rjust(w) if at in numbers else c.ljust(w) for at, (c, w) in enumerate(zip(row, widths, strict=True))]
        click.echo("  ".join(cells).rstrip())


def _size(count: float) -> str:
    """Bytes as people read them.

    >>> _size(1_234_567)
    '1.2 MB'
    """
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
