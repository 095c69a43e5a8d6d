"""A real server in this process, on a registry that tests can steer."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from leaflab.errors import ModelError, TrackingError
from leaflab.serve.app import Parts, application
from leaflab.serve.following import Follower
from leaflab.serve.gate import Keys
from leaflab.serve.journal import Journal, Keeping
from leaflab.serve.measures import Measures
from leaflab.serve.recorded import Recorder
from leaflab.serve.server import Patient, bound
from leaflab.serve.service import Limits, Service
from leaflab.values import Version


@dataclass
class Shelf:
    """A registry in memory: versions are scorers, and it can be down."""

    scorers: dict[int, Any] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    examples: dict[int, dict[str, list[Any]]] = field(default_factory=dict)
    down: bool = False

    def version(self, name, *, alias=None, number=None):
        if self.down:
            raise TrackingError("The store", "cannot be reached")
        number = self.aliases.get(alias, 0) if alias else number
        return Version(name, number, "run", f"models:/m-{number}") if number in self.scorers else None

    def scorer(self, version):
        made = self.scorers[version.number]
        if isinstance(made, Exception):
            raise ModelError(str(version), "cannot be loaded") from made
        return made

    def example(self, version):
        return self.examples.get(version.number, {})


@dataclass
class Running:
    """A server that listens; `ask` speaks plain HTTP."""

    port: int
    shelf: Shelf
    follower: Follower
    service: Service
    lake: Any
    stop: Any

    def ask(self, method, path, body=None, kind="application/json", **headers):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        plain = (
            json.loads(text) if answer.headers.get("content-type", "").startswith("application/json") else text.decode()
        )
        return SimpleNamespace(status=answer.status, headers=answer.headers, body=plain)

    def predict(self, *rows, query="", **headers):
        return self.ask("POST", f"/predict{query}", {"rows": list(rows)}, **headers)


@pytest.fixture(scope="module")
def started():
    """Starts servers: `started(shelf, lake=…, keys=…, limits=…)`; all stop with the module."""
    stops = []

    def start(shelf, *, lake=None, keys=(), limits=None, poll_seconds=0.05, shadow=None, **journal):
        from uvicorn import Config, Server

        follower = Follower(shelf, "toy", "champion", shadow)
        recorded = {"hashed": journal.pop("hashed", ()), "omitted": journal.pop("omitted", ()), "key": b"key"}
        keeping = Keeping(**{"seconds": 0.05, **journal})
        own = Journal(lake, "inference/toy", Recorder(**recorded), keeping) if lake else None
        service = Service(follower, Measures(), own, limits or Limits())
        gate = application(Parts(service, lake, Keys(keys), poll_seconds, log_requests=False))
        listener = bound("127.0.0.1", 0)
        config = Config(gate, http=Patient, log_config=None, access_log=False, proxy_headers=False, ws="none",
                        lifespan="on", interface="asgi3", timeout_graceful_shutdown=5)  # fmt: skip
        server = Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started

        def stop():
            server.should_exit = True
            thread.join(30)
            listener.close()
            assert not thread.is_alive()

        stops.append(stop)
        return Running(listener.getsockname()[1], shelf, follower, service, lake, stop)

    yield start
    for stop in stops:
        stop()


@pytest.fixture(scope="session")
def until():
    """Waits until something is so, at most twenty seconds."""

    def wait(holds):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if holds():
                return
            time.sleep(0.02)
        raise AssertionError("it never became so")

    return wait


@pytest.fixture
def raw_socket():
    """A plain TCP connection."""
    opened = []

    def connect(port):
        made = socket.create_connection(("127.0.0.1", port), timeout=20)
        opened.append(made)
        return made

    yield connect
    for made in opened:
        made.close()
