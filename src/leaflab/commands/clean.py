"""`leaflab clean`: takes back the space of models nobody needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from leaflab.errors import TrackingError

__all__ = ["command"]


@click.command(
    help="Removes the models of trials beyond the best of their sweep, model folders no run names, and caches.\n\n"
    "Runs, metrics and registered models stay. --dry-run says what would go."
)
@click.option("--keep", type=click.IntRange(0), default=10, show_default=True, help="Models to keep a sweep.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(keep: int, dry_run: bool) -> None:
    from leaflab.door.places import home
    from leaflab.tracking.keeping import orphans, reclaim, spares
    from leaflab.tracking.schema import is_known

    folder = home()
    file = folder / "mlflow.db"
    if file.exists() and not is_known(file):
        raise TrackingError(f"'{file}'", "is no store that this leaflab can clean", hint="use `mlflow gc`")
    found = [*spares(file, keep), *orphans(file)] if file.exists() else []
    caches = [p for p in (folder / ".leaflab" / "cache" / "artifact", folder / ".leaflab" / "multirun") if p.is_dir()]
    for why in sorted({s.why for s in found}):
        some = [s for s in found if s.why == why]
        click.echo(f"{len(some)} models {why}: {_megabytes(sum(s.size for s in some))}")
    for cache in caches:
        click.echo(f"{cache.relative_to(folder)}: {_megabytes(_size(cache))}")
    total = sum(s.size for s in found) + sum(_size(c) for c in caches)
    if not dry_run:
        if found:
            reclaim(file, found)
        for cache in caches:
            shutil.rmtree(cache, ignore_errors=True)
    click.echo(f"{'Would free' if dry_run else 'Freed'} {_megabytes(total)}.")


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
