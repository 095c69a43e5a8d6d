"""What goes back over the wire."""

from __future__ import annotations

import http
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from leaflab.serve.asked import Refusal

__all__ = ["Receive", "Reply", "Scope", "Send", "refused", "send_reply"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    408: "DEADLINE_EXCEEDED",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    422: "INVALID_PARAMETER_VALUE",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}
_HANG_UP = (400, 408, 413, 429)


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer.

    Args:
        status: HTTP status.
        body: its bytes.
        kind: content type.
        headers: further headers.
    """

    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def json(cls, plain: Any, status: int = 200) -> Reply:
        """Plain values as JSON; NaN, which JSON does not have, never occurs in an answer."""
        return cls(status, json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode())


def refused(refusal: Refusal, request_id: str) -> Reply:
    """A refusal as MLflow's clients read it (`error_code`, `message`), with the fields it is about."""
    code = _CODES.get(refusal.status) or http.HTTPStatus(refusal.status).name
    plain: dict[str, Any] = {"error_code": code, "message": refusal.sentence, "request_id": request_id}
    plain |= {"fields": list(refusal.fields)} if refusal.fields else {}
    plain |= {"row": refusal.row} if refusal.row is not None else {}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if refusal.status in (429, 503):
        headers += ((b"retry-after", b"1"),)
    if refusal.status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    if refusal.status in _HANG_UP:
        headers += ((b"connection", b"close"),)
    body = json.dumps(plain).encode()  # escaped: a refused text may hold what UTF-8 has no bytes for
    return Reply(refusal.status, body, headers=headers)


async def send_reply(send: Send, reply: Reply) -> None:
    """Sends an answer whole."""
    headers = [
        (b"content-type", reply.kind.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
