"""Sensors that publish to an MQTT broker."""

from __future__ import annotations

import queue
import re
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from leaflab.errors import ConfigError, ExtraError, SourceError
from leaflab.option import option
from leaflab.source.base import Reading, Stream
from leaflab.source.payload import Payload
from leaflab.source.spool import Message

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

    from leaflab.source.spool import Spool

__all__ = ["Mqtt"]

_PATTERN = re.compile(r"(?=.)((\+|[^+#/]*)(/(\+|[^+#/]*))*(/#)?|#)")
_PATIENCE = 15.0  # seconds for the first connection; later ones are tried until they succeed
_GROUP = 1000  # messages a file sync


@option
class Mqtt(Stream):
    """Messages of a broker, each acknowledged once it is on this machine's disk (QoS 1 and 2).

    The session is kept by the broker under `client_id`, so that what is published while nobody collects is delivered
    later.

    Args:
        host: the broker; `port` is 1883, or 8883 where TLS is usual.
        topics: patterns to subscribe to (`[plant/+/+]`, `[plant/#]`).
        username, password: as the broker asks for.
        client_id: name of the session; null makes one of the dataset's name.
        qos: 0 (may lose messages), 1 or 2.
        tls: whether to speak TLS; `ca`, `cert` and `key` are PEM files, the system's authorities where `ca` is null.
        mapping: how messages become rows.
    """

    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    topics: list[str] | str | None = None
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    qos: Annotated[int, Field(ge=0, le=2)] = 1
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    keepalive: Annotated[int, Field(ge=1)] = 30
    mapping: Payload = field(default_factory=Payload)

    @property
    def default_name(self) -> str | None:
        return None

    @property
    def payload(self) -> Payload:
        return self.mapping

    @property
    def uri(self) -> str:
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}/{','.join(self._topics)}"

    @property
    def _topics(self) -> list[str]:
        return [self.topics] if isinstance(self.topics, str) else list(self.topics or [])

    def read(self) -> Reading:
        self._check()
        raise SourceError(
            "source=mqtt", "does not end by itself", hint="collect it first: leaflab collect collect.seconds=60"
        )

    def _check(self) -> None:
        if not self.host:
            raise ConfigError("`source.host`", "is not set", hint="name the broker, as in source.host=localhost")
        if not self._topics:
            raise ConfigError("`source.topics`", "is not set", hint="as in source.topics=[plant/+/+]")
        for topic in self._topics:
            if not _PATTERN.fullmatch(topic):
                rule = "must have + and # for whole parts, # for the last"
                raise ConfigError("`source.topics`", rule, got=topic, hint="as in source.topics=[plant/+/t,hall/#]")
        for key, path in {"ca": self.ca, "cert": self.cert, "key": self.key}.items():
            if path is not None and not Path(path).is_file():
                raise ConfigError(f"`source.{key}`", "names no file", got=path)

    @contextmanager
    def listening(self, spool: Spool, name: str) -> Iterator[threading.Event]:
        self._check()
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise ExtraError("source=mqtt", "mqtt") from error
        session = self.client_id or f"leaflab-{name}"
        client = Client(CallbackAPIVersion.VERSION2, session, clean_session=False, manual_ack=True)
        connection = _Connection(self, client, spool)
        connection.open()
        try:
            yield connection.failed
            if connection.error is not None:
                raise connection.error
        finally:
            connection.close()


class _Connection:
    """A client, and the thread that brings what it receives to the disk and acknowledges it then."""

    def __init__(self, source: Mqtt, client: Client, spool: Spool) -> None:
        self._source, self._client, self._spool = source, client, spool
        self._inbox: queue.SimpleQueue[tuple[Message, int, int] | None] = queue.SimpleQueue()
        self._answer: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="leaflab-spool", daemon=True)
        self.failed = threading.Event()
        self.error: SourceError | None = None

    def open(self) -> None:
        """Connects, and waits until the broker has accepted the connection and the topics.

        Raises:
            SourceError: it cannot be reached, refuses, or its certificate is not trusted.
        """
        source, client = self._source, self._client
        where = f"broker {source.host}:{source.port}"
        if source.username is not None:
            client.username_pw_set(source.username, source.password)
        client.reconnect_delay_set(1, 30)
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message = self._on_message
        try:
            if source.tls:
                client.tls_set(source.ca, source.cert, source.key)
            client.connect(str(source.host), source.port, source.keepalive)
        except ssl.SSLError as error:
            raise SourceError(where, f"cannot be trusted ({error.reason or error})") from error
        except (OSError, ValueError) as error:
            raise SourceError(where, f"cannot be reached ({getattr(error, 'strerror', None) or error})") from error
        self._writer.start()
        client.loop_start()
        try:
            refusal = self._answer.get(timeout=_PATIENCE)
        except queue.Empty:
            refusal = "no answer"
        if refusal:
            self.close()
            raise SourceError(where, f"refused the connection ({refusal})")

    def close(self) -> None:
        """Disconnects once everything received is on the disk."""
        self._inbox.put(None)
        if self._writer.is_alive():
            self._writer.join(_PATIENCE)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._answer.put(str(code))
            return
        client.subscribe([(topic, self._source.qos) for topic in self._source._topics])

    def _on_subscribe(self, client: Client, data: Any, number: int, codes: Sequence[Any], properties: Any) -> None:
        refused = [topic for topic, code in zip(self._source._topics, codes, strict=False) if code.is_failure]
        self._answer.put(f"no leave for {', '.join(refused)}" if refused else "")

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        taken = Message(message.topic, bytes(message.payload), time.time(), bool(message.dup))
        self._inbox.put((taken, message.mid, message.qos))

    def _write(self) -> None:
        """One file sync for as many messages as have come: brokers hold only some unacknowledged ones."""
        going = True
        while going:
            group = [self._inbox.get()]
            while not self._inbox.empty() and len(group) < _GROUP:
                group.append(self._inbox.get())
            going = None not in group
            taken = [item for item in group if item is not None]
            try:
                if taken:
                    self._spool.append([message for message, _, _ in taken])
            except OSError as error:
                self.error = SourceError(
                    "the spool", f"cannot be written ({error.strerror})", hint="make room and go on"
                )
                self.failed.set()
                return
            for _, number, qos in taken:
                self._client.ack(number, qos)
