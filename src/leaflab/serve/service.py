"""Answers requests with the model that serves now, and passes them to the shadow and to the inference log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from leaflab.scorer import BadTable
from leaflab.serve.asked import Asked, Refusal, from_mlflow, from_rows
from leaflab.serve.explain import contributions
from leaflab.serve.journal import Entry
from leaflab.serve.replies import Receive, Reply, Scope, Send, send_reply

if TYPE_CHECKING:
    from leaflab.serve.following import Follower
    from leaflab.serve.gate import Context
    from leaflab.serve.journal import Journal
    from leaflab.serve.live import Answer, Live
    from leaflab.serve.measures import Measures

__all__ = ["Limits", "Service"]

_SMALL_BYTES = 1 << 17
_SWALLOWED = 4
_EXPLAINED_ROWS = 100
_SHADOW_QUEUE = 1000
_FLAGS = {"true": True, "1": True, "": True, "false": False, "0": False}


@dataclass(frozen=True)
class Limits:
    """What a request may cost: rows, bytes, seconds to send it and to answer it; and how many may wait."""

    rows: int = 10_000
    body: int = 16 << 20
    read_seconds: float = 10.0
    answer_seconds: float = 30.0
    queue: int = 512


@dataclass
class Service:
    """The scoring routes.

    Args:
        follower: knows the model that serves now.
        measures: counts.
        journal: the inference log, or None.
        limits: what a request may cost.
        receiving: requests whose bodies are still arriving.
    """

    follower: Follower
    measures: Measures
    journal: Journal | None = None
    limits: Limits = Limits()
    receiving: int = 0
    _shadows: int = 0
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "leaflab-large"))
    _shade: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "leaflab-shadow"))

    async def predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /predict`."""
        flags = _flags(scope["query_string"], ("proba", "explain"))
        body = await self.body(scope, receive)
        if not _is_json(scope):
            raise Refusal(415, "The content type must be application/json.")
        context: Context = scope["leaflab"]
        reply = await self._run(lambda: self._predict(context, body, **flags), len(body), slow=flags["explain"])
        await send_reply(send, reply)

    async def invocations(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /invocations`, MLflow's own protocol."""
        body = await self.body(scope, receive)
        context: Context = scope["leaflab"]
        kind = _header(scope, b"content-type")
        await send_reply(send, await self._run(lambda: self._invocations(context, body, kind), len(body)))

    async def body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a request.

        Raises:
            Refusal: 408 it takes too long to arrive; 413 it is too large.
        """
        declared = _header(scope, b"content-length")
        if declared.isdigit() and int(declared) > _SWALLOWED * self.limits.body:
            raise self._too_large()
        self.receiving += 1
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                return await self._received(receive)
        except TimeoutError as error:
            raise Refusal(408, f"A request must arrive within {self.limits.read_seconds:g} seconds.") from error
        finally:
            self.receiving -= 1

    async def _received(self, receive: Receive) -> bytes:
        """The body; one that is too large is swallowed for a while, so that its sender gets to read the refusal."""
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "The request ended before its body did.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self.limits.body:
                chunks.append(chunk)
            ended = not message.get("more_body", False)
            if size > self.limits.body and (ended or size > _SWALLOWED * self.limits.body):
                raise self._too_large()
            if ended:
                return b"".join(chunks)

    def _too_large(self) -> Refusal:
        return Refusal(413, f"A request must have at most {self.limits.body / 2**20:g} MB.")

    async def _run(self, work: Callable[[], Reply], size: int, *, slow: bool = False) -> Reply:
        """Small requests at once; large ones in a thread, so that the small ones need not wait."""
        if size < _SMALL_BYTES and not slow:
            return work()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError as error:
            sentence = f"No answer within {self.limits.answer_seconds:g} seconds; ask with fewer rows."
            raise Refusal(503, sentence) from error

    def _predict(self, context: Context, body: bytes, *, proba: bool, explain: bool) -> Reply:
        live = self._live(context)
        asked = from_rows(body, live.wanted, self.limits.rows, live.required)
        if explain and asked.rows > _EXPLAINED_ROWS:
            raise Refusal(
                422, f"At most {_EXPLAINED_ROWS} rows can be explained at once, got {asked.rows:,}.", ["rows"]
            )
        answer = self.answered(context, asked, 422)
        rows: list[dict[str, Any]] = [
            {"row_id": i, "prediction": p} for i, p in zip(answer.ids, answer.predictions, strict=True)
        ]
        if proba and live.labels:
            for row, scores in zip(rows, answer.scores.tolist(), strict=True):
                row["probabilities"] = dict(zip(live.labels, scores, strict=True))
        if explain:
            for row, parts in zip(rows, contributions(answer), strict=True):
                row["contributions"] = parts
        version = live.version
        return Reply.json(
            {"model": version.name, "version": version.number, "request_id": context.request_id, "rows": rows}
        )

    def _invocations(self, context: Context, body: bytes, kind: str) -> Reply:
        live = self._live(context)
        asked = from_mlflow(body, kind, live.wanted, self.limits.rows)
        answer = self.answered(context, asked, 400)
        predictions: list[Any] = answer.predictions
        if asked.proba and live.labels:
            names = [f"proba_{label}" for label in live.labels]
            predictions = [dict(zip(names, scores, strict=True)) for scores in answer.scores.tolist()]
        return Reply.json({"predictions": predictions})

    def _live(self, context: Context) -> Live:
        if context.live is None:
            raise Refusal(503, self.follower.trouble or f"'{self.follower.name}' has no champion yet.")
        return context.live

    def answered(self, context: Context, asked: Asked, status: int) -> Answer:
        """The model's answer, recorded.

        Raises:
            Refusal: `status` where the rows cannot be read, with the column and the row.
        """
        live = self._live(context)
        try:
            answer = live.answer(asked.values, asked.rows)
        except BadTable as error:
            sentence = error.rule if error.row is None else f"{error.rule} in row {error.row}"
            raise Refusal(status, f"{sentence[0].upper()}{sentence[1:]}.", error.columns, error.row) from error
        context.rows = asked.rows
        kept = self.journal is not None and self.journal.keeps()
        if kept:
            self._record(answer, self.follower.alias, context)
        self._ask_shadow(context, asked, kept=kept)
        return answer

    def _record(self, answer: Answer, alias: str, context: Context) -> None:
        if self.journal is not None:
            self.journal.add(Entry(answer, alias, context.request_id, context.began, context.milliseconds))

    def _ask_shadow(self, context: Context, asked: Asked, *, kept: bool) -> None:
        shadow = self.follower.challenger
        if shadow is None:
            return
        if self._shadows >= _SHADOW_QUEUE:
            self.measures.shadowed("skipped")
            return
        self._shadows += 1
        self._shade.submit(self._answer_in_shadow, shadow, context, asked, kept)

    def _answer_in_shadow(self, shadow: Live, context: Context, asked: Asked, kept: bool) -> None:
        try:
            answer = shadow.answer(asked.values, asked.rows)
            if kept:
                self._record(answer, self.follower.shadow or "", context)
            self.measures.shadowed("answered")
        except Exception:
            self.measures.shadowed("failed")
        finally:
            self._shadows -= 1

    def close(self) -> None:
        """Waits for the shadow, and writes what the inference log holds."""
        self._shade.shutdown(wait=True)
        self._threads.shutdown(wait=True)
        if self.journal is not None:
            self.journal.close()


def _header(scope: Scope, name: bytes) -> str:
    return str(next((value for key, value in scope["headers"] if key == name), b"").decode("latin-1"))


def _is_json(scope: Scope) -> bool:
    return _header(scope, b"content-type").partition(";")[0].strip().lower() == "application/json"


def _flags(query: bytes, names: tuple[str, ...]) -> dict[str, bool]:
    flags = dict.fromkeys(names, False)
    if query:
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name in flags:
                if value.lower() not in _FLAGS:
                    raise Refusal(422, f"`{name}` must be true or false, got {value[:40]!r}.", [name])
                flags[name] = _FLAGS[value.lower()]
    return flags
