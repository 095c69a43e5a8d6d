"""Runs the application on uvicorn, with one or several processes behind one socket."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import json
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, cast

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors.multiprocess import Multiprocess

from leaflab.errors import ConfigError
from leaflab.serve.gate import Gate

__all__ = ["JsonLines", "Patient", "bound", "configured", "end_with_parent", "run"]

_IDLE_SECONDS = 75
_PR_SET_PDEATHSIG = 1
_SWITCH_SECONDS = 0.0005


class Patient(HttpToolsProtocol):
    """HTTP with patience that ends: for slow request heads, and for more requests than can be answered."""

    _clock: asyncio.TimerHandle | None = None

    @property
    def gate(self) -> Gate:
        """The application."""
        return cast(Gate, self.config.loaded_app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wind()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            if self.timeout_keep_alive_task is None:
                self._wind()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        waiting = len(self.tasks) - self.gate.receiving()
        self.app = cast(Any, self.gate.crowded if waiting >= self.gate.queue else self.gate)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"error_code": "BAD_REQUEST", "message": "The request is not HTTP."}).encode()
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        known = b"x-leaflab-version: %b\r\ncontent-length: %d\r\n\r\n" % (self.gate.version, len(body))
        self.transport.write(head + known + body)
        self.transport.close()

    def _wind(self) -> None:
        if self._clock is None and not self.transport.is_closing():
            self._clock = self.loop.call_later(self.gate.read_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class JsonLines(logging.Formatter):
    """A log record as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configured(level: int = logging.INFO) -> None:
    """Sends what leaflab and uvicorn say to stderr as JSON lines; and lets no thread hold up the answers for long."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name, least in (("leaflab", level), ("uvicorn.error", max(level, logging.WARNING))):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(least)


def end_with_parent() -> None:
    """Has the kernel stop this worker when the process that started it is killed."""
    if multiprocessing.parent_process() is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "`serve.port`", "is in use", got=port, hint="choose another, as in serve.port=8001"
            ) from error
        if error.errno == errno.EACCES:
            raise ConfigError("`serve.port`", "may not be used by this user", got=port) from error
        raise ConfigError("`serve.host`", f"cannot be listened on ({error.strerror or error})", got=host) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def run(make: Callable[[], Gate], listener: socket.socket, workers: int, grace_seconds: int) -> float:
    """Serves until told to stop, and returns for how many seconds.

    Args:
        make: makes the application in the process that runs it; picklable where there are several.
        listener: the socket.
        workers: processes; one is this one.
        grace_seconds: time that requests in progress have at the end.
    """
    began = time.monotonic()
    config = Config(
        make,
        factory=True,
        http=Patient,
        workers=workers,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="on",
        interface="asgi3",
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
        timeout_worker_healthcheck=60,
    )
    _allow_many_connections()
    with contextlib.suppress(KeyboardInterrupt):
        if workers == 1:
            Server(config).run([listener])
        else:
            with tempfile.TemporaryDirectory(prefix="leaflab-measures-") as measures:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = measures
                Multiprocess(config, [listener]).run()
                del os.environ["PROMETHEUS_MULTIPROC_DIR"]
    return time.monotonic() - began


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
