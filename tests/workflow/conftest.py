"""What the workflows' tests share."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mosquitto(free_port: int, tmp_path: Path, program: Callable[..., str]) -> Iterator[int]:
    """The port of a broker that keeps the sessions of clients that are away."""
    broker = program("LEAFLAB_REQUIRE_BROKER", "mosquitto")
    lines = [f"listener {free_port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "user root"]
    (tmp_path / "mosquitto.conf").write_text("\n".join(lines))
    process = subprocess.Popen([broker, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the broker ended: its port is another's"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", free_port)) == 0:
                break
        assert time.monotonic() < end, "the broker did not start"
        time.sleep(0.05)
    yield free_port
    process.kill()
    process.wait()
