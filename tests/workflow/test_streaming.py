"""Sensors through a real broker into the lake: whatever is killed, nothing is lost and nothing comes twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.identity import digest
from leaflab.lake.delta import Delta
from leaflab.source.mqtt import Mqtt
from leaflab.tracking.memory import Memory
from leaflab.values import Roles
from leaflab.workflow.collect import collect
from leaflab.workflow.lab import Lab
from leaflab.workflow.settings import Collect

pytest.importorskip("amqtt", reason="the MQTT broker for tests (amqtt) is not installed", exc_type=ImportError)
client = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed", exc_type=ImportError)

_BROKER = """
import asyncio, sys
from amqtt.broker import Broker
passwords = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": sys.argv[2]}} if sys.argv[2] else {
    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
passwords["amqtt.plugins.topic_checking.TopicTabooPlugin"] = {}  # denies "prohibited"
listener = {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}
if sys.argv[3]:
    listener |= {"ssl": True, "certfile": sys.argv[3], "keyfile": sys.argv[4]}
async def main():
    broker = Broker({"listeners": {"default": listener}, "plugins": passwords})
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


class Brokers:
    """Brokers of one test, each a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.process: subprocess.Popen[str] | None = None

    def start(self, password_file: str = "", cert: str = "", key: str = "") -> None:
        words = [sys.executable, "-c", _BROKER, str(self.port), password_file, cert, key]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def brokers(free_port: int) -> Iterator[Brokers]:
    made = Brokers(free_port)
    yield made
    made.stop()


class Sensor:
    """Publishes with QoS 1, through broker restarts."""

    def __init__(self, port: int, **keys: Any) -> None:
        self.client = client.Client(client.CallbackAPIVersion.VERSION2, "sensor", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def send(self, topic: str, payload: Any) -> None:
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        self.client.publish(topic, text, qos=1).wait_for_publish(20)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def sensor(brokers: Brokers) -> Iterator[Callable[..., None]]:
    brokers.start()
    made = Sensor(brokers.port)
    yield made.send
    made.close()


@pytest.fixture
def lab(tmp_path: Path, brokers: Brokers) -> Callable[..., Lab]:
    tracking = Memory()

    def make(seconds: float = 2.0, mapping: dict[str, Any] | None = None, **keys: Any) -> Lab:
        rooms: Any = dict.fromkeys(
            ["prepare", "split", "model", "search", "executor", "metric", "gate", "evaluate", "promote", "predict"]
        )
        source = {"host": "127.0.0.1", "port": brokers.port, "topics": ["plant/#"], "mapping": mapping or {}} | keys
        return Lab(
            name="exp", seed=0, home=tmp_path, dataset=Roles(name="plant"), source=Mqtt(**source),
            lake=Delta(path=str(tmp_path / "lake")), tracking=tracking, verb="collect",
            collect=Collect(seconds=seconds, flush_seconds=0.3), **rooms,
        )  # fmt: skip

    return make


def later(seconds: float, *calls: Callable[[], Any]) -> threading.Thread:
    """Runs calls one after another once the collector is connected and some time has passed."""

    def run() -> None:
        _until(lambda: any(thread.name == "leaflab-spool" for thread in threading.enumerate()))
        time.sleep(seconds)
        for call in calls:
            call()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_messages_become_rows(lab: Any, sensor: Any) -> None:
    rows = [{"timestamp": f"2020-01-01T00:00:{s:02d}Z", "t": s + 0.5, "on": s % 2 == 0} for s in (1, 3, 2)]
    thread = later(0.5, *(lambda r=r: sensor("plant/1", r) for r in rows), lambda: sensor("plant/2", rows[0]))
    raw = collect(lab())
    thread.join()
    found = raw.table.to_pylist()
    assert sorted((r["topic"], r["t"]) for r in found) == [
        ("plant/1", 1.5),
        ("plant/1", 2.5),
        ("plant/1", 3.5),
        ("plant/2", 1.5),
    ]
    assert str(raw.table.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert raw.uri.startswith("mqtt://127.0.0.1:")


def test_bad_payloads_are_set_aside_and_repeated_ones_left_out(lab: Any, sensor: Any) -> None:
    good = {"timestamp": "2020-01-01T00:00:00Z", "t": 1}
    sent = [good, good, "{broken", {**good, "timestamp": "then"}, {"timestamp": "2020-01-01T00:00:01Z", "t": "hot"}]
    thread = later(0.5, *(lambda p=p: sensor("plant/1", p) for p in sent))
    made = lab()
    raw = collect(made)
    thread.join()
    assert (raw.rows, raw.quarantined) == (1, 3)
    aside = made.lake.read("quarantine/plant").to_pylist()
    assert [(r["source"], r["line"]) for r in aside] == [("plant/1", 3), ("plant/1", 4), ("plant/1", 5)]
    assert aside[0]["raw"] == "{broken"
    assert "has 'hot' for 't', which is double" in aside[2]["reason"]
    run = made.tracking.search("exp")[0]
    assert (run.metrics["rows/out"], run.metrics["rows/repeated"], run.metrics["messages"]) == (1, 1, 5)


def test_new_fields_become_columns_unless_refused(lab: Any, sensor: Any) -> None:
    first, second = ({"timestamp": i, "t": 1.0} for i in (1, 2))
    thread = later(
        0.5, lambda: sensor("plant/1", first), lambda: time.sleep(0.8), lambda: sensor("plant/1", second | {"h": 5})
    )
    raw = collect(lab(seconds=3))
    thread.join()
    assert [row["h"] for row in raw.table.to_pylist()] == [None, 5.0]


def test_every_version_tells_where_its_rows_came_from(lab: Any, sensor: Any) -> None:
    def row(i: int, **more: float) -> dict[str, float]:
        return {"timestamp": i, "t": 1.0, **more}

    sent = ["no row", row(1), row(1), "none", row(2), row(3, h=1.0)]
    thread = later(0.5, *(lambda p=p: (sensor("plant/1", p), time.sleep(0.5)) for p in sent))
    made = lab(seconds=5)
    raw = collect(made)
    thread.join()
    known = made.lake.versions("raw/plant")
    assert [v.digest for v in known] == [digest(made.lake.read("raw/plant", v.version)).table for v in known]
    assert known[-1].digest == raw.digest
    for version in known:
        assert version.meta["uri"] == raw.uri
        assert "@" in version.meta["who"]
        assert set(version.meta["schema"]) <= {"topic", "timestamp", "t", "h"}
    assert sum(v.meta["rows in"] for v in known) == len(sent)
    assert sum(v.meta["quarantined"] for v in known) == raw.quarantined == 2
    assert sum(v.meta.get("repeated", 0) for v in known) == 1
    assert known[-1].rows == 3


@pytest.fixture
def lasting(mosquitto: int) -> Iterator[Callable[..., None]]:
    """A sensor at a broker that keeps sessions, which amqtt does not."""
    made = Sensor(mosquitto)
    yield made.send
    made.close()


def test_what_is_published_while_nobody_collects_comes_later(lab: Any, lasting: Any) -> None:
    sensor = lasting
    thread = later(0.5, lambda: sensor("plant/1", {"timestamp": 1, "t": 1}))
    collect(lab(seconds=1.5))
    thread.join()
    sensor("plant/1", {"timestamp": 2, "t": 2})
    raw = collect(lab(seconds=1.5))
    assert sorted(row["t"] for row in raw.table.to_pylist()) == [1.0, 2.0]


@pytest.mark.slow
def test_a_broker_restart_is_waited_out(lab: Any, sensor: Any, brokers: Brokers) -> None:
    def publish() -> None:
        for i in range(30):
            if i == 10:
                time.sleep(1.0)  # what this broker has taken and not handed on dies with it
                brokers.stop()
                time.sleep(0.5)
                brokers.start()
            if i in (10, 20):
                time.sleep(3.0)
            sensor("plant/1", {"timestamp": i + 1, "t": i})

    thread = later(0.5, publish)
    raw = collect(lab(seconds=15))
    thread.join()
    assert {row["t"] for row in raw.table.to_pylist()} >= {*range(10), *range(20, 30)}
    assert raw.rows == len({row["t"] for row in raw.table.to_pylist()})


def test_nothing_came(lab: Any, brokers: Brokers) -> None:
    brokers.start()
    with pytest.raises(SourceError, match=r"mqtt://127.0.0.1:.* sent nothing that is a row"):
        collect(lab(seconds=0.5))


def test_a_broker_that_is_not_there(lab: Any) -> None:
    with pytest.raises(SourceError, match=r"broker 127.0.0.1:\d+ cannot be reached \(Connection refused\)"):
        collect(lab())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"topics": ["plant/#/x"]}, "`source.topics` must have + and # for whole parts"),
        ({"topics": ["plant/a+"]}, "`source.topics` must have + and # for whole parts"),
        ({"topics": [""]}, "`source.topics` must have"),
        ({"tls": True, "ca": "nowhere.pem"}, "`source.ca` names no file, got 'nowhere.pem'"),
    ],
)
def test_what_no_broker_is_asked_for(lab: Any, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        collect(lab(**keys))


@pytest.mark.parametrize("topic", ["#", "+", "plant/#", "+/+/t", "/a", "a//b", "a/+/#", "$SYS/#"])
def test_patterns_that_brokers_know(lab: Any, topic: str) -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        collect(lab(topics=[topic]))


def test_wrong_password(lab: Any, brokers: Brokers, tmp_path: Path) -> None:
    from pwdlib import PasswordHash

    (tmp_path / "passwords").write_text(f"me:{PasswordHash.recommended().hash('secret')}\n")
    brokers.start(str(tmp_path / "passwords"))
    with pytest.raises(SourceError, match=r"broker 127.0.0.1:\d+ refused the connection"):
        collect(lab(username="me", password="wrong"))


def test_a_topic_that_is_not_allowed(lab: Any, brokers: Brokers) -> None:
    brokers.start()
    with pytest.raises(SourceError, match=r"refused the connection \(no leave for prohibited\)"):
        collect(lab(topics=["plant/#", "prohibited"]))


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_nobody_trusts(lab: Any, brokers: Brokers, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    _certificate(cert, key)
    brokers.start("", str(cert), str(key))
    with pytest.raises(SourceError, match=r"broker 127.0.0.1:\d+ cannot be trusted"):
        collect(lab(tls=True))
    made = lab(seconds=0.5, tls=True, ca=str(cert))
    with pytest.raises(SourceError, match="sent nothing"):
        collect(made)


def _certificate(cert: Path, key: Path) -> None:
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(secret.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )  # fmt: skip
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _collector(port: int, seconds: str = "null") -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "leaflab", "collect", "source=mqtt", "source.host=127.0.0.1", f"source.port={port}"]
    words += [
        "source.topics=[plant/#]",
        "dataset.name=plant",
        f"collect.seconds={seconds}",
        "collect.flush_seconds=0.2",
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_kill_nine_loses_and_doubles_nothing(home: Path, lasting: Any, mosquitto: int, shared_data: Path) -> None:
    table = pq.read_table(shared_data / "occupancy.parquet").slice(0, 3000)
    rows = [{"timestamp": str(r["date"]), "Temperature": r["Temperature"], "CO2": r["CO2"]} for r in table.to_pylist()]
    lake = Delta(path=str(home / "lake"))
    collector = _collector(mosquitto)
    publishing = threading.Thread(target=lambda: [lasting("plant/room", row) for row in rows])
    _until(lambda: any((home / ".leaflab/spool/plant").glob("*.spool")))  # opened before the broker is asked
    time.sleep(2)
    publishing.start()
    for _ in range(3):
        before = lake.versions("raw/plant")
        _until(lambda before=before: len(lake.versions("raw/plant")) > len(before) + 1 or not publishing.is_alive())
        os.kill(collector.pid, signal.SIGKILL)
        collector.communicate()
        collector = _collector(mosquitto)
    publishing.join()
    _until(lambda: (now := lake.current("raw/plant")) is not None and now.rows >= len({r["timestamp"] for r in rows}))
    collector.send_signal(signal.SIGTERM)
    out, err = collector.communicate(timeout=60)
    assert collector.returncode == 0, err
    assert "raw/plant version" in out
    assert all(version.digest for version in lake.versions("raw/plant"))
    assert lake.current("raw/plant").digest == digest(lake.read("raw/plant")).table
    times = lake.read("raw/plant").column("timestamp").to_pylist()
    assert len(times) == len(set(times)) == len({r["timestamp"] for r in rows})
