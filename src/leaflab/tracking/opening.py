"""Opening an MLflow store: quiet, made once however many processes come first, its errors told in one sentence."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import TrackingError
from leaflab.tracking.address import is_server, masked, sqlite_file
from leaflab.tracking.schema import is_known

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["AWAY", "FULL", "current", "locked", "made", "make_ahead", "making", "opened", "quiet", "told"]

AWAY = "does not answer"
"""The rule of the error of a store that may yet come back."""
FULL = "has no space left on its disk"
"""The rule of the error of a store that needs a person first."""

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # who repeats must look first: a lost answer may have been "created"
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_SENTENCES = (
    (r"out-of-date database schema|Can't locate revision", "has the schema of another MLflow",
     "stop its users, back it up and run `mlflow db upgrade`; one made by a newer MLflow needs that MLflow"),
    (r"error code 401|UNAUTHENTICATED|not authenticated|authentication failed", "refuses the credentials",
     "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
    (r"Invalid Host header", "does not know itself by this name", "start it with --allowed-hosts"),
    (r"error code 403|PERMISSION_DENIED|AccessDenied|\(403\)", "does not permit this",
     "ask for access to the experiment, the model or the bucket"),
    (r"readonly|[Rr]ead-only|PermissionError|unable to open database", "cannot be written", "get write access to it"),
    (r"disk is full|No space left", FULL, "make room, or `leaflab clean`"),
    (r"error code 404", "is no MLflow server", "check its address"),
    (r"Max retries|Connection(Error| refused| reset| aborted)|[Tt]imed? ?out|Could not connect|server closed the conn"
     r"|is starting up|is shutting down|Unable to locate credentials", AWAY, "check its address and that it runs"),
)  # fmt: skip
_UNWELL = re.compile(r"INTERNAL_ERROR|TEMPORARILY_UNAVAILABLE|error code 5\d\d")
_BUSY_MS = 60_000
_clients: dict[str, MlflowClient] = {}
_opening = threading.RLock()
_held: set[Path] = set()
_makers: dict[str, subprocess.Popen[bytes]] = {}


def quiet() -> None:
    """Settles MLflow's environment before it is imported: no telemetry, hints, links or bars, and short waits."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)


def opened(uri: str) -> MlflowClient:
    """The client of a store, which is made and migrated if need be.

    Raises:
        TrackingError: the store cannot be reached, read or written, or is newer than this MLflow.
    """
    with _opening, told(uri):
        if uri not in _clients:
            _clients[uri] = _open(uri)
        return _clients[uri]


def made(uri: str, file: Path) -> bool:
    """Makes or migrates a local store where need be; whether its tables are then the ones we write directly."""
    if maker := _makers.get(uri):
        maker.wait()
        _makers.pop(uri, None)
    if not is_known(file):
        with locked(_lock_of(file)):
            if not is_known(file):  # another process may have made it while we waited
                opened(uri)
    return is_known(file)


def make_ahead(uri: str) -> None:
    """Begins to make a local store in a process of its own, which gives way to the work that goes on meanwhile."""
    file = sqlite_file(uri)
    if file is None or file.exists() or uri in _makers or not os.access(file.parent, os.W_OK):
        return
    script = (
        "import os; os.nice(10); from pathlib import Path; from leaflab.tracking.opening import made;"
        f" made({uri!r}, Path({str(file)!r}))"
    )
    null = subprocess.DEVNULL
    words = [sys.executable, "-c", script]
    _makers[uri] = subprocess.Popen(words, process_group=0, stdin=null, stdout=null, stderr=null)


def making(uri: str) -> bool:
    """Whether a process of ours makes this store just now."""
    maker = _makers.get(uri)
    return maker is not None and maker.poll() is None


def _lock_of(file: Path) -> Path:
    return file.parent / ".leaflab" / "locks" / f"{file.name}.lock"


def _open(uri: str) -> MlflowClient:
    quiet()
    file = sqlite_file(uri)
    if "://" not in uri:
        raise TrackingError(f"The tracking store '{uri}'", "is a folder, which MLflow no longer writes",
                            hint="use sqlite:///mlflow.db, and `mlflow migrate-filestore` for its runs")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        if file:
            _make(uri, file)
        client = MlflowClient(uri, uri)
        if file:
            _settled(client)
        elif not is_server(uri):
            client.search_experiments(max_results=1)
        return client


def _make(uri: str, file: Path) -> None:
    """Creates or migrates a sqlite store under a lock: MLflow's own first use breaks when two processes meet."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logging.getLogger("alembic").setLevel(logging.ERROR)
    if file.exists() and not os.access(file, os.W_OK):
        raise TrackingError(
            f"The tracking store '{file}'", "cannot be written", hint="give yourself write access to it"
        )
    with locked(_lock_of(file)):
        store = SqlAlchemyStore(uri, str(file.parent / "mlartifacts"))
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def _settled(client: MlflowClient) -> None:
    """Every connection of the store's engines waits its turn, and leaves fsync to checkpoints."""
    from sqlalchemy import event

    for store in (client._tracking_client.store, client._get_registry_client().store):
        event.listen(store.engine, "connect", _settle)
        store.engine.dispose()


def _settle(connection: Any, record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a file lock between processes, freed by the system when one dies; its holder may enter again."""
    import fcntl

    if path in _held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def current(uri: str) -> Iterator[None]:
    """Makes a store MLflow's global one for a moment: a few of its calls ignore their own client's address."""
    import mlflow
    from mlflow.tracking._tracking_service import utils

    with _opening:
        before, environment = utils._tracking_uri, os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            if environment is not None:
                os.environ["MLFLOW_TRACKING_URI"] = environment


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Turns what MLflow, its database or the network raise into one sentence."""
    try:
        yield
    except (TrackingError, KeyboardInterrupt):
        raise
    except Exception as error:
        said = explained(error, uri)
        if said is None:
            raise
        raise said from error


def explained(error: BaseException, uri: str) -> TrackingError | None:
    """The sentence for an error of the store; None where the error is ours.

    Files may lie anywhere, so whatever a library for them raises is the store's; only Python's own errors are bugs.
    """
    kind, text = type(error).__module__.partition(".")[0], masked(f"{type(error).__name__}: {error}")
    if kind in ("builtins", "leaflab") and not isinstance(error, OSError):
        return None
    subject, first = f"The tracking store {masked(uri)}", next(iter(masked(str(error)).strip().splitlines()), kind)
    for marks, rule, hint in _SENTENCES:
        if re.search(marks, text):
            return TrackingError(subject, rule, hint=hint)
    if kind in ("requests", "urllib3"):
        return TrackingError(subject, AWAY, hint="check its address and that it runs")
    if _UNWELL.search(text):
        return TrackingError(subject, AWAY, hint=f"its server says: {first[:300]}")
    return TrackingError(subject, f"failed ({first[:300]})")
