"""`leaflab doctor`: says what is installed, where things lie, and what is wrong."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import click

__all__ = ["Finding", "command", "examine"]

_CORE = ("mlflow", "optuna", "lightgbm", "hydra-core", "pandas", "numpy", "scikit-learn", "pyarrow", "deltalake")
_EXTRAS = {
    "dask": "distributed",
    "drift": "river",
    "labels": "cleanlab",
    "media": "PIL",
    "mqtt": "paho.mqtt",
    "openml": "openml",
    "postgres": "psycopg",
    "s3": "s3fs",
    "samplers": "cmaes",
    "serve": "fastapi",
    "validate": "pandera",
}
_ENOUGH_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One line of the examination: fine, worth knowing, or wrong with a way out."""

    level: Literal["ok", "note", "wrong"]
    what: str


@click.command(help="Versions, store, lake, free space, and what is wrong. Exits 2 where something is.")
def command() -> int:
    findings = list(examine())
    colours = {"ok": "green", "note": "yellow", "wrong": "red"}
    for finding in findings:
        click.echo(f"{click.style(f'{finding.level:<5}', fg=colours[finding.level])}  {finding.what}")
    return 2 if any(f.level == "wrong" for f in findings) else 0


def examine() -> Iterator[Finding]:
    """Looks at the installation and the project folder; changes nothing."""
    yield from _packages()
    yield from _folder()
    yield from _store()
    yield from _extras()


def _packages() -> Iterator[Finding]:
    yield Finding("ok", f"leaflab {importlib.metadata.version('leaflab')} on Python {platform.python_version()}")
    for name in _CORE:
        try:
            yield Finding("ok", f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding("wrong", f"{name} is not installed: pip install leaflab")
    try:
        import lightgbm  # noqa: F401
    except OSError as error:
        yield Finding("wrong", f"lightgbm cannot load its library ({error}): apt-get install libgomp1")


def _folder() -> Iterator[Finding]:
    from leaflab.door.places import home

    folder = home()
    if not os.access(folder, os.W_OK):
        yield Finding("wrong", f"the project folder {folder} cannot be written: choose another with LEAFLAB_HOME")
        return
    yield Finding("ok", f"project folder {folder}")
    free = shutil.disk_usage(folder).free
    level: Literal["ok", "wrong"] = "ok" if free > _ENOUGH_BYTES else "wrong"
    yield Finding(level, f"{free / 1e9:.1f} GB free{'' if level == 'ok' else ': less than 1 GB, make room'}")
    if (folder / "mlruns").is_dir():
        yield Finding(
            "note", "./mlruns is MLflow's old file store: `mlflow migrate-filestore` moves it into a database"
        )


def _store() -> Iterator[Finding]:
    from leaflab.door.compose import lab_for
    from leaflab.errors import LeaflabError

    try:
        lab = lab_for("promote", ["name=doctor"])
        uri = lab.tracking.uri
        if uri.startswith("sqlite") and not (lab.home / "mlflow.db").exists():
            yield Finding("note", f"tracking store {uri} is made by the first run")
        else:
            runs = lab.tracking.search(limit=1)
            yield Finding("ok", f"tracking store {uri} answers{'' if runs else ', no runs yet'}")
        tables = lab.lake.tables()
        yield Finding("ok", f"lake holds {len(tables)} table{'' if len(tables) == 1 else 's'}")
    except LeaflabError as error:
        yield Finding("wrong", str(error))


def _extras() -> Iterator[Finding]:
    for extra, module in _EXTRAS.items():
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            yield Finding("note", f"extra {extra} is not installed: pip install 'leaflab[{extra}]'")
