"""Counts and durations of the API for Prometheus, in a registry of their own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from assistant.records import Answer

Values = Callable[[], Mapping[str, float]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)


class Metrics:
    """`engine` and `reading` give totals at the time of a scrape: names ending in `_total` are counters.

    Those in `_s_total` count seconds, which Prometheus wants to be called so.
    """

    def __init__(self, engine: Values, reading: Values) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "assistant_http_requests", "HTTP requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "assistant_http_request_seconds",
            "Time from a request to the end of its reply",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._ttft = Histogram(
            "assistant_ttft_seconds",
            "Time from a question, over HTTP or on the page, to its first token",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Stats("engine", engine))
        self._registry.register(_Stats("reading_ahead", reading))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answered(self, answer: Answer) -> None:
        """Counts an answer's time to first token, where it came to have one."""
        if answer.timings.completion_tokens:
            self._ttft.observe(answer.timings.ttft_s)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)


class Meter:
    """ASGI middleware that counts and times requests by route template, so that no request can make a new series."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "") or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.request(method, route, status, time.perf_counter() - began)


class _Stats(Collector):
    def __init__(self, part: str, stats: Values) -> None:
        self._part = part
        self._stats = stats

    def describe(self) -> list[Metric]:
        return []  # names are known at a scrape only; without this the registry would scrape once on registering

    def collect(self) -> Iterator[Metric]:
        for key, value in self._stats().items():
            name = key.replace("_s_total", "_seconds_total")
            words = name.removesuffix("_total").replace("_", " ")
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            about = self._part.replace("_", " ").capitalize()
            yield kind(f"assistant_{self._part}_{name}", f"{about}: {words}", value=value)
