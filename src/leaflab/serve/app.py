"""The ASGI application of one worker, put together from its parts."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from leaflab.serve.asked import Asked, Refusal
from leaflab.serve.documents import documents
from leaflab.serve.explain import contributions
from leaflab.serve.gate import Gate, Keys
from leaflab.serve.page import Shown, page, values_of
from leaflab.serve.replies import Receive, Reply, Scope, Send, refused, send_reply
from leaflab.serve.schema import openapi
from leaflab.serve.truth import labels_from, record_truth

if TYPE_CHECKING:
    from fastapi import FastAPI

    from leaflab.lake.base import Lake
    from leaflab.serve.following import Follower
    from leaflab.serve.service import Service

__all__ = ["Parts", "application"]

Route = Callable[[Scope, Receive, Send], Any]

_log = logging.getLogger(__name__)

_CSP = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")


@dataclass(frozen=True)
class Parts:
    """What an application is made of.

    Args:
        service: scores.
        lake: takes the truth.
        keys: who may ask.
        poll_seconds: seconds between two looks at the registry.
        log_requests: whether each request leaves a JSON line.
    """

    service: Service
    lake: Lake
    keys: Keys
    poll_seconds: float = 2.0
    log_requests: bool = True

    @property
    def follower(self) -> Follower:
        return self.service.follower


def application(parts: Parts) -> Gate:
    """The application; its lifespan follows the registry, and ends when all is written."""
    from fastapi import FastAPI

    app = FastAPI(lifespan=lambda app: _lifespan(parts), docs_url=None, redoc_url=None)
    described: dict[Any, dict[str, Any]] = {}

    def document() -> dict[str, Any]:
        live = parts.follower.champion
        if live not in described:
            described.clear()
            described[live] = openapi(parts.follower.name, live, parts.service.limits, keys=bool(parts.keys))
        return described[live]

    app.openapi = document  # type: ignore[method-assign]
    _add(app, "/predict", "POST", parts.service.predict)
    _add(app, "/invocations", "POST", parts.service.invocations)
    _add(app, "/truth", "POST", lambda *asgi: _take_truth(parts, *asgi))
    _add(app, "/ping", "GET", lambda *asgi: _ping(parts, *asgi))
    _add(app, "/health", "GET", lambda *asgi: _health(parts, *asgi))
    _add(app, "/version", "GET", _version)
    _add(app, "/metrics", "GET", lambda *asgi: _metrics(parts, *asgi))
    _add(app, "/docs", "GET", lambda *asgi: _docs(document(), *asgi))
    _add(app, "/", "GET", lambda *asgi: _page(parts, *asgi))
    _add(app, "/", "POST", lambda *asgi: _page(parts, *asgi))
    return Gate(app, parts.service, parts.keys, log_requests=parts.log_requests)


def _add(app: FastAPI, path: str, method: str, answer: Route) -> None:
    """A route that answers in plain ASGI; what it refuses is told here, before a framework sees it."""
    from starlette.routing import Route as Path

    class Endpoint:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await answer(scope, receive, send)
            except Refusal as refusal:
                await send_reply(send, refused(refusal, scope["leaflab"].request_id))
            except Exception:
                request_id = scope["leaflab"].request_id
                _log.exception("request %s failed", request_id)
                said = Refusal(500, "The server failed at this request; its log says why.")
                await send_reply(send, refused(said, request_id))

    app.router.routes.append(Path(path, Endpoint(), methods=[method]))


@asynccontextmanager
async def _lifespan(parts: Parts) -> AsyncIterator[None]:
    service = parts.service
    await asyncio.to_thread(parts.follower.poll)
    if service.journal is not None:
        service.journal.start()
    gc.freeze()  # what is loaded by now stays; looking through it for garbage would hold up answers
    following = asyncio.create_task(_follow(parts))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await asyncio.to_thread(service.close)


async def _follow(parts: Parts) -> None:
    while True:
        await asyncio.sleep(parts.poll_seconds)
        await asyncio.to_thread(parts.follower.poll)


async def _take_truth(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    body = await parts.service.body(scope, receive)
    row_ids, labels = labels_from(body, parts.service.limits.rows)
    taken = await asyncio.to_thread(record_truth, parts.lake, parts.follower.name, row_ids, labels)
    await send_reply(send, Reply.json({"rows": taken}))


async def _ping(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    status = 200 if parts.follower.champion else 503
    await send_reply(send, Reply(status, b"\n", "text/plain; charset=utf-8"))


async def _health(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    follower, journal = parts.follower, parts.service.journal
    live = follower.champion
    trouble = " ".join(filter(None, (follower.trouble, journal.trouble if journal else "")))
    shadow = follower.challenger
    known: dict[str, Any] = {
        "status": "trouble" if trouble else "healthy",
        "model": follower.name,
        "alias": follower.alias,
        "version": live.version.number if live else None,
        "shadow": shadow.version.number if shadow else None,
        "trouble": trouble,
        "swaps": follower.swaps,
        "checked": round(follower.checked, 3),
    }
    if journal is not None:
        known["inference"] = {"waiting": journal.waiting, "written": journal.written, "dropped": journal.dropped}
    await send_reply(send, Reply.json(known, 200 if live else 503))


async def _version(scope: Scope, receive: Receive, send: Send) -> None:
    await send_reply(send, Reply(200, version("mlflow").encode(), "text/plain; charset=utf-8"))


async def _metrics(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    text = parts.service.measures.text(parts.follower, parts.service.journal)
    await send_reply(send, Reply(200, text, "text/plain; version=0.0.4; charset=utf-8"))


async def _docs(document: dict[str, Any], scope: Scope, receive: Receive, send: Send) -> None:
    await send_reply(send, Reply(200, documents(document), "text/html; charset=utf-8", (_CSP,)))


async def _page(parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    form: dict[str, str] | None = None
    row: dict[str, Any] | None = None
    problem = ""
    if scope["method"] == "POST":
        body = await parts.service.body(scope, receive)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            row = _tried(parts, scope, form)
        except Refusal as refusal:
            problem = refusal.sentence
    live, trouble = scope["leaflab"].live, parts.follower.trouble
    shown = Shown(parts.follower.name, live, trouble, form, row, problem)
    text = page(shown, keys=bool(parts.keys))
    await send_reply(send, Reply(200, text, "text/html; charset=utf-8", (_CSP,)))


def _tried(parts: Parts, scope: Scope, form: dict[str, str]) -> dict[str, Any]:
    """The answer to a filled form, recorded like any other."""
    context = scope["leaflab"]
    if parts.keys and not parts.keys.admits(form.pop("key", "")):
        raise Refusal(401, "A valid API key is required.")
    if context.live is None:
        raise Refusal(503, parts.follower.trouble)
    answer = parts.service.answered(context, Asked(values_of(context.live, form), 1), 422)
    row: dict[str, Any] = {"row_id": answer.ids[0], "prediction": answer.predictions[0]}
    if context.live.labels:
        row["probabilities"] = dict(zip(context.live.labels, answer.scores[0].tolist(), strict=True))
    return {**row, "contributions": contributions(answer)[0]}
