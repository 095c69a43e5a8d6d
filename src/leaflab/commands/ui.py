"""`leaflab ui`: opens MLflow's UI on the project's runs and models."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from leaflab.errors import ConfigError, TrackingError

__all__ = ["command", "opening", "serving"]

_FIRST_PORT = 5000


@click.command(
    help="Opens MLflow's UI on the project's runs and models; Ctrl-C ends it. [ui.port=5000] [tracking.uri=…]"
)
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; a free one from 5000 on where not given.")
def command(settings: tuple[str, ...], port: int | None) -> None:
    from leaflab.door.compose import lab_for

    given = dict(s.partition("=")[::2] for s in settings)
    wanted = given.pop("ui.port", None)
    if wanted is not None and not wanted.isdigit():
        raise ConfigError("`ui.port`", "must be a port number", got=wanted)
    tracking = lab_for("promote", ["name=ui", *(f"{k}={v}" for k, v in given.items())]).tracking
    if tracking.uri.startswith(("http://", "https://")):
        click.echo(f"Runs are kept by a server: open {tracking.uri}")
        return
    tracking.search(limit=1)  # makes the store where there is none yet
    with serving(tracking.uri, port or (int(wanted) if wanted else None)) as (url, process):
        click.echo(f"MLflow's UI: {url}{opening(tracking.uri)}   (Ctrl-C ends it)")
        try:
            process.wait()
        except KeyboardInterrupt:
            click.echo("Ended.")


def opening(uri: str) -> str:
    """Where the UI opens: the runs of the newest run's experiment, on MLflow's pages for model training.

    Without the last words a new browser is shown its pages for language models.
    """
    from leaflab.tracking.address import sqlite_file
    from leaflab.tracking.schema import connected, is_known

    file = sqlite_file(uri)
    found = None
    if file is not None and is_known(file):
        connection = connected(file)
        found = connection.execute("SELECT experiment_id FROM runs ORDER BY start_time DESC LIMIT 1").fetchone()
        connection.close()
    return f"/#/experiments{f'/{found[0]}/runs' if found else ''}?workflowType=machine_learning"


@contextmanager
def serving(uri: str, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs `mlflow server` on a local store, on loopback only, until the context ends.

    Args:
        uri: a database URI.
        port: the port; None takes the first free one from 5000 on.

    Yields:
        The UI's address and the server's process.

    Raises:
        ConfigError: the port is taken.
        TrackingError: the server ends before it answers.
    """
    from leaflab.tracking.address import sqlite_file

    port = _free(port)
    file = sqlite_file(uri)
    folder = (file.parent if file else Path.cwd()) / ".leaflab"
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", uri]
    words += ["--default-artifact-root", (folder.parent / "mlartifacts").as_uri()] if file else []
    # MLflow's own job runner would start eight more processes that a look at runs has no use for.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment |= {"MLFLOW_DISABLE_AGENT_HINT": "1", "MLFLOW_TRACKING_URI": uri}
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the server with its workers
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "ui.log")
            yield f"http://127.0.0.1:{port}", process
        finally:
            _end(process)


def _free(port: int | None) -> int:
    for candidate in [port] if port else range(_FIRST_PORT, _FIRST_PORT + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", candidate)) != 0:
                return candidate
    raise ConfigError("`ui.port`", "is taken", got=port, hint="choose another")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError as error:
            if process.poll() is not None:
                last = next(reversed(log.read_text(errors="replace").strip().splitlines()), "no message")
                raise TrackingError(
                    "MLflow's server", f"ended before it answered ({last})", hint=f"see {log}"
                ) from error
            time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
