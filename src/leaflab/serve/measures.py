"""Prometheus measures; with several workers each writes its own file, and any of them can add them up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.serve.following import Follower
    from leaflab.serve.journal import Journal

__all__ = ["Measures"]

_PATHS = (
    "/",
    "/predict",
    "/invocations",
    "/truth",
    "/ping",
    "/health",
    "/version",
    "/metrics",
    "/openapi.json",
    "/docs",
)
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """Counts requests and rows, and shows the state of the model and of the inference log."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        shared: dict[str, Any] = {"registry": self._registry}
        live: dict[str, Any] = {**shared, "multiprocess_mode": "livemostrecent"}
        self._requests = Counter("leaflab_requests", "Requests answered.", ["path", "status"], **shared)
        self._seconds = Histogram("leaflab_request_seconds", "Time to answer.", ["path"], buckets=_SECONDS, **shared)
        self._rows = Counter("leaflab_rows", "Rows scored.", **shared)
        self._shadow = Counter("leaflab_shadow_requests", "Requests scored by the shadow.", ["outcome"], **shared)
        self._version = Gauge("leaflab_model_version", "Version that answers.", **live)
        self._swaps = Gauge("leaflab_model_swaps", "Times a version took over.", **live)
        self._healthy = Gauge("leaflab_healthy", "1 where nothing is wrong.", **live)
        self._waiting = Gauge(
            "leaflab_inference_rows_waiting", "Rows not in the lake yet.", **shared, multiprocess_mode="livesum"
        )
        self._dropped = Gauge("leaflab_inference_rows_dropped", "Rows dropped.", **shared, multiprocess_mode="livesum")
        self._known: dict[tuple[str, int], tuple[Any, Any]] = {}

    def answered(self, path: str, status: int, seconds: float, rows: int) -> None:
        """One request was answered."""
        path = path if path in _PATHS else "other"
        known = self._known.get((path, status))
        if known is None:
            known = self._requests.labels(path, status), self._seconds.labels(path)
            self._known[(path, status)] = known
        known[0].inc()
        known[1].observe(seconds)
        if rows:
            self._rows.inc(rows)

    def shadowed(self, outcome: str) -> None:
        """The shadow has scored a request (`answered`, `failed` or `skipped`)."""
        self._shadow.labels(outcome).inc()

    def text(self, follower: Follower, journal: Journal | None) -> bytes:
        """The exposition format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        self._version.set(follower.champion.version.number if follower.champion else 0)
        self._swaps.set(follower.swaps)
        self._healthy.set(not follower.trouble)
        if journal is not None:
            self._waiting.set(journal.waiting)
            self._dropped.set(journal.dropped)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
