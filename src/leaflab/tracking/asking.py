"""The ways MLflow offers to ask a registered model: as a pyfunc, and through its REST server, here without a socket."""

from __future__ import annotations

import asyncio
import json
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from leaflab.errors import ModelError
from leaflab.tracking.opening import current

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_pyfunc", "as_rest", "asked"]

_NO_PICKLE = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
_SERVING = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"


def as_pyfunc(address: str, uri: str) -> Any:
    """MLflow's pyfunc of a model, loaded with pickles forbidden.

    Raises:
        ModelError: MLflow cannot load it.
    """
    import mlflow.pyfunc

    with _environment(_NO_PICKLE), current(address), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return mlflow.pyfunc.load_model(uri)
        except Exception as error:
            raise ModelError(f"The model {uri}", f"cannot be loaded by MLflow ({error})") from error


def asked(model: Any) -> Callable[[pd.DataFrame], np.ndarray]:
    """A pyfunc as a function from raw rows to scores."""

    def ask(frame: pd.DataFrame) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(model.predict(frame, params={"proba": True}), dtype="float64")

    return ask


def as_rest(model: Any) -> Callable[[pd.DataFrame], np.ndarray]:
    """A pyfunc behind MLflow's own server: rows as JSON to /invocations, scores from its answer."""
    from mlflow.pyfunc import scoring_server

    with _environment({_SERVING: "true"}):
        app = scoring_server.init(model)

    def ask(frame: pd.DataFrame) -> np.ndarray:
        plain = {"columns": list(frame.columns), "data": [[_plain(v) for v in row] for row in _rows(frame)]}
        body = json.dumps({"dataframe_split": plain, "params": {"proba": True}}).encode()
        with _environment({_SERVING: "true"}), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ThreadPoolExecutor(1) as elsewhere:  # a notebook runs an event loop in this very thread
                status, answer = elsewhere.submit(asyncio.run, _posted(app, body)).result()
        if status != 200:
            raise ValueError(f"status {status}: {answer.decode(errors='replace')[:300]}")
        rows = json.loads(answer)["predictions"]
        return np.array([list(r.values()) if isinstance(r, dict) else r for r in rows], dtype="float64")

    return ask


async def _posted(app: Any, body: bytes) -> tuple[int, bytes]:
    """One POST to /invocations of an ASGI application."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/invocations", "raw_path": b"/invocations", "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    status, parts, asked = 0, [], False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.sleep(3600)
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)


def _rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return frame.astype(object).itertuples(index=False, name=None)


def _plain(value: Any) -> Any:
    """One cell as JSON has it: null for whatever is missing, text for times."""
    import pandas as pd

    if pd.isna(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def _environment(changed: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value
