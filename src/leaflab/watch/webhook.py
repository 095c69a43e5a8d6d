"""Alarms to a webhook: Slack-shaped JSON, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from leaflab.watch.alarms import Alarm

__all__ = ["payload", "send", "signature"]

_log = logging.getLogger(__name__)
_SIGN = {"critical": ":red_circle:", "warning": ":large_yellow_circle:"}
_TRIES = 3


def payload(title: str, alarms: Sequence[Alarm]) -> bytes:
    """What Slack and its like show: a line of text, and a block an alarm."""
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    for alarm in alarms:
        text = f"{_SIGN[alarm.severity]} *{alarm.family}* `{alarm.id}` {alarm.cause}"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    plain = {"text": f"{title}: {alarms[0].cause}", "blocks": blocks, "alarms": [alarm.to_json() for alarm in alarms]}
    return json.dumps(plain, ensure_ascii=False).encode()


def signature(secret: str, stamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `<timestamp>.<body>`, as MLflow signs its own webhooks."""
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()


def send(url: str, secret: str | None, title: str, alarms: Sequence[Alarm], *, pause: float = 1.0) -> bool:
    """Posts the alarms; a dead receiver is a warning, never an error. Tries three times."""
    body, stamp = payload(title, alarms), int(time.time())
    headers = {"Content-Type": "application/json", "X-Leaflab-Timestamp": str(stamp)}
    if secret:
        headers["X-Leaflab-Signature"] = signature(secret, stamp, body)
    problem = ""
    for attempt in range(_TRIES):
        try:
            with urlopen(Request(url, body, headers, method="POST"), timeout=10):
                return True
        except (URLError, OSError, ValueError) as error:
            problem = str(getattr(error, "reason", error))
            time.sleep(pause * attempt)
    _log.warning("The webhook did not take the alarms (%s); they stand in the monitor run.", problem)
    return False
