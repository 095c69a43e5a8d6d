"""What every request passes first and last: its id, its key, its model version, its line in the log."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaflab.errors import ConfigError
from leaflab.serve.asked import Refusal
from leaflab.serve.replies import Receive, Scope, Send, refused, send_reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from leaflab.serve.live import Live
    from leaflab.serve.service import Service

__all__ = ["Context", "Gate", "Keys", "api_keys"]

_OPEN = ("/", "/ping", "/health", "/version")
_REQUEST_ID = re.compile(rb"[\w.:-]{1,64}")


@dataclass
class Context:
    """What is known of one request: the model that answers it is taken once, when it comes.

    Args:
        request_id: the client's own (`x-request-id`), or a new one.
        live: the model; None where there is none yet.
        began: epoch seconds; `tick` is the same moment on the clock that never jumps.
        rows: rows answered.
    """

    request_id: str
    live: Live | None
    began: float = field(default_factory=time.time)
    tick: float = field(default_factory=time.perf_counter)
    rows: int = 0

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self.tick) * 1e3

    @property
    def version(self) -> bytes:
        return _version(self.live)


class Keys:
    """API keys, kept as digests and compared in a time that does not depend on them.

    Args:
        keys: the keys; none means that everyone may ask.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admits(self, key: str) -> bool:
        """Whether a key is one of them; all are compared, whichever fits."""
        given = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        return sum(hmac.compare_digest(given, known) for known in self._digests) > 0


def api_keys(file: str | None, variable: str) -> Keys:
    """The keys of a file, one a line, and of an environment variable, separated by commas.

    Raises:
        ConfigError: the file cannot be read or holds no key.
    """
    found = [key.strip() for key in variable.split(",")]
    if file is not None:
        try:
            lines = Path(file).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("`serve.keys_file`", "must be a file that can be read", got=file) from error
        listed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not listed:
            raise ConfigError("`serve.keys_file`", "must hold one or more keys, one a line", got=file)
        found += listed
    return Keys(key for key in found if key)


class Gate:
    """The outermost ASGI application.

    Args:
        app: what answers.
        service: knows the model that serves now, and counts.
        keys: who may ask.
        log_requests: whether each request leaves a JSON line on stderr.
    """

    def __init__(self, app: ASGIApp, service: Service, keys: Keys, *, log_requests: bool = True) -> None:
        self._app, self._service, self._keys = app, service, keys
        self._log_requests = log_requests

    @property
    def version(self) -> bytes:
        """The version that serves now, as the header has it."""
        return _version(self._service.follower.champion)

    @property
    def queue(self) -> int:
        """Requests that may wait for their answer."""
        return self._service.limits.queue

    @property
    def read_seconds(self) -> float:
        """Time a client has to send a request's head."""
        return self._service.limits.read_seconds

    def receiving(self) -> int:
        """Requests whose bodies are still arriving."""
        return self._service.receiving

    async def crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer where too many requests wait already."""
        scope["leaflab.crowded"] = True
        await self(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        context = Context(_request_id(headers.get(b"x-request-id")), self._service.follower.champion)
        scope["leaflab"] = context
        status = 0

        async def stamped(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [(b"x-request-id", context.request_id.encode()), (b"x-leaflab-version", context.version)]
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        try:
            if "leaflab.crowded" in scope and scope["path"] not in _OPEN:
                raise Refusal(429, "Too many requests are waiting; come back in a second.")
            self._admit(scope["path"], headers)
            await self._app(scope, receive, stamped)
        except Refusal as refusal:
            await send_reply(stamped, refused(refusal, context.request_id))
        finally:
            self._note(scope, context, status)

    def _admit(self, path: str, headers: dict[bytes, bytes]) -> None:
        if not self._keys or path in _OPEN:
            return
        given = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if not self._keys.admits(given.decode("latin-1")):
            sentence = "A valid API key is required, as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            raise Refusal(401, sentence, ["authorization"])

    def _note(self, scope: Scope, context: Context, status: int) -> None:
        took = context.milliseconds
        path = scope["path"]
        self._service.measures.answered(path, status, took / 1e3, context.rows)
        if self._log_requests:
            line = {
                "time": round(context.began, 3),
                "level": "info",
                "request_id": context.request_id,
                "method": scope["method"],
                "path": path,
                "status": status,
                "milliseconds": round(took, 3),
                "rows": context.rows,
                "version": context.version.decode(),
            }
            sys.stderr.write(json.dumps(line) + "\n")


def _request_id(given: bytes | None) -> str:
    """The client's, where it is one that a log line can hold."""
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _version(live: Live | None) -> bytes:
    return str(live.version.number).encode() if live else b"none"
