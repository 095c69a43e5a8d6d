"""`leaflab study`: opens optuna-dashboard on a sweep, from MLflow alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from leaflab.errors import ExtraError, TrackingError

__all__ = ["command", "journal_of"]

_FILE = "study/journal.log"


@click.command(help="Opens optuna-dashboard on the sweep RUN (a run id, or the start of one); Ctrl-C ends it.")
@click.argument("run")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Only write the study's Optuna journal to FILE."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, as tracking.uri=http://host:5000."
)
def command(run: str, port: int, out: Path | None, settings: tuple[str, ...]) -> int:
    from importlib.util import find_spec

    from leaflab.door.compose import lab_for

    journal = journal_of(lab_for("promote", ["name=study", *settings]).tracking, run)
    if out is not None:
        shutil.copyfile(journal, out)
        click.echo(f"{out}: optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend('{out}')))")
        return 0
    if find_spec("optuna_dashboard") is None:
        raise ExtraError("`leaflab study`", "dashboard")
    with tempfile.TemporaryDirectory() as scratch:  # a copy: looking at a study must not change it
        copied = shutil.copyfile(journal, Path(scratch) / "journal.log")
        words = [sys.executable, "-m", "optuna_dashboard._cli", "--host", "127.0.0.1", "--port", str(port), str(copied)]
        click.echo(f"Optuna's dashboard: http://127.0.0.1:{port}   (Ctrl-C ends it)")
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            click.echo("Ended.")
            return 0
        finally:
            process.terminate()
            process.wait()


def journal_of(tracking: object, run: str) -> Path:
    """The Optuna journal of a sweep's run.

    Raises:
        TrackingError: no such run, or none that searched.
    """
    from leaflab.tracking.base import Tracking

    assert isinstance(tracking, Tracking)
    found = tracking.get(run)
    if found is None:
        same = [r for r in tracking.search(tags={"leaflab.verb": "sweep"}, limit=100_000) if r.id.startswith(run)]
        found = same[0] if len(same) == 1 else None
    if found is None:
        raise TrackingError(
            f"Run '{run}'", f"is not in {tracking.uri}", hint="`leaflab runs --verb sweep` lists the sweeps"
        )
    journal = tracking.artifact(found.id, _FILE)
    if journal is None:
        way = "name a sweep's run, as `leaflab runs --verb sweep` lists them"
        raise TrackingError(f"Run '{found.name}'", "holds no study", hint=way)
    return journal
