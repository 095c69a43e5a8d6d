"""`leaflab sync`: sends what is unsent, and copies a local store to a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leaflab.errors import TrackingError

if TYPE_CHECKING:
    from leaflab.tracking.copying import Copied

__all__ = ["command", "copied", "sent"]


@click.command(
    help="Sends what runs have logged and no store has taken yet, and ends runs whose process died. Repeatable.\n\n"
    "--to URI then copies the project's runs, datasets, models and versions into another store."
)
@click.option("--to", "target", metavar="URI", help="The store to copy into: http://host:5000, sqlite:///other.db, …")
@click.option(
    "--from", "home", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another project folder."
)
@click.option("--instead-of", metavar="URI", default="", help="Send what waits for this store, which was a mistake.")
@click.option("--name", help="Only this experiment.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, as tracking.uri=http://host:5000."
)
def command(target: str | None, home: Path | None, instead_of: str, name: str | None, settings: tuple[str, ...]) -> int:
    from leaflab.door.compose import lab_for
    from leaflab.tracking.local import Local

    tracking = Local(home=home) if home else lab_for("promote", ["name=sync", *settings]).tracking
    click.echo(sent(tracking, instead_of))
    if target is None:
        return 0
    from leaflab.door.places import home as project

    result = copied(home or project(), target, name)
    for note in result.notes:
        click.echo(note)
    click.echo(f"{result} to {target.rpartition('@')[2] if '@' in target else target}.")
    return 0


def sent(tracking: object, instead_of: str = "") -> str:
    """Carries every spool of dead processes into its store, those for `instead_of` into this one; says what was done.

    Raises:
        TrackingError: the store does not take them.
    """
    from leaflab.tracking.store import MlflowTracking

    if not isinstance(tracking, MlflowTracking):
        return "Nothing is unsent."
    projector = tracking.projector
    count = projector.recover(instead_of=instead_of)
    if not projector.flush():
        what = f"{count} runs stay" if count > 1 else "A run stays"
        raise TrackingError(what, f"unsent ({projector.trouble})", hint="try again later")
    others = sorted(projector.elsewhere())
    told = [
        f"Unsent records for {uri} wait: leaflab sync --set tracking.uri={uri}"
        f" (or here, if that was a mistake: leaflab sync --instead-of {uri})"
        for uri in others
    ]
    return "\n".join(
        [
            f"{count} unfinished run{'s' if count != 1 else ''} sent to {tracking.uri}."
            if count
            else "Nothing is unsent.",
            *told,
        ]
    )


def copied(home: Path, target: str, name: str | None = None) -> Copied:
    """Copies the local store of a project folder into another store.

    Raises:
        TrackingError: the folder has no store of the kind that can be read, or the target does not take it.
    """
    from leaflab.tracking.client import ClientWriter
    from leaflab.tracking.copying import Source, copy
    from leaflab.tracking.folder import ModelFolder
    from leaflab.tracking.opening import opened, told
    from leaflab.tracking.schema import is_known

    file = home.resolve() / "mlflow.db"
    if not is_known(file):
        raise TrackingError(
            f"'{file}'", "is no store that this leaflab can copy from", hint="copy from a project folder"
        )
    with told(target):
        writer = ClientWriter(opened(target), target, ModelFolder(home / ".leaflab" / "cache" / "model"))
        return copy(Source(home.resolve()), writer, name)
