"""Publishes the rows of a table to an MQTT broker, as sensors would: one JSON message a row, QoS 1.

python benchmarks/replay.py data/occupancy.parquet office/desk --time date --host localhost --port 1883
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["main", "replay"]


def replay(rows: Iterable[Mapping[str, Any]], topic: str, host: str, port: int, rate: float = 0.0) -> int:
    """Publishes rows and returns how many the broker took; `rate` is messages a second, 0 for as fast as it goes."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, f"replay-{time.time_ns()}")
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(1000)
    client.connect(host, port)
    client.loop_start()
    started, sent = time.monotonic(), []
    for number, row in enumerate(rows, 1):
        sent.append(client.publish(topic, json.dumps(row, default=str), qos=1))
        if rate and (ahead := started + number / rate - time.monotonic()) > 0:
            time.sleep(ahead)
        if number % 1000 == 0:
            sent[-1000].wait_for_publish(60)
    for message in sent[-2000:]:
        message.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    return len(sent)


def main(argv: list[str] | None = None) -> None:
    from leaflab.source.file import File

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("topic")
    parser.add_argument("--time", default="timestamp", help="column that becomes the field `timestamp`")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as fast as it goes")
    asked = parser.parse_args(argv)
    rows = File(path=asked.path).read().table().to_pylist()
    messages = ({"timestamp": row.pop(asked.time), **row} for row in rows)
    print(f"{replay(messages, asked.topic, asked.host, asked.port, asked.rate):,} messages")


if __name__ == "__main__":
    main()
