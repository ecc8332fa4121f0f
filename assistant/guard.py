"""Who may call the API, and how much they may send: decided before a request's body is read. Plain ASGI.

A server bound to a loopback address answers only requests that name a loopback host, so that a web page cannot reach
it through a name of its own that resolves to 127.0.0.1 (DNS rebinding). A request that changes something and comes
from another origin's page is refused. With an API key, /v1 and /metrics ask for it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from assistant.openai_errors import error_body

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_BYTES = 16 * 2**20  # the largest body that is not an upload; a body is parsed as a whole
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Refusal(NamedTuple):
    status: int
    message: str
    code: str


class Guard:
    """ASGI middleware. `upload_bytes` limits multipart bodies, JSON_BYTES all others."""

    def __init__(self, app: App, host: str, api_key: str, upload_bytes: int) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        self._api_key = api_key.encode()
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._limited(scope, receive, send, self._limit(headers))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})
        else:
            await _refuse(send, refusal)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Refusal | None:
        host = headers.get("host", "")
        if self._loopback and not is_loopback(_host_name(host)):
            hint = "Open it as 127.0.0.1 or localhost, or set server.host."
            return Refusal(403, f"The host {host!r} is not this machine's own. {hint}", "foreign_host")
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and origin is not None and _origin_host(origin) != host.lower():
            hint = "A proxy in front must pass the Host header on."
            return Refusal(403, f"Requests from pages of {origin!r} are refused. {hint}", "foreign_origin")
        path = scope["path"]
        if self._api_key and (path == "/metrics" or path.startswith("/v1/")) and not self._knows_key(headers):
            return Refusal(
                401, "The API key is missing or wrong. Send `Authorization: Bearer KEY`.", "invalid_api_key"
            )
        length = headers.get("content-length", "")
        limit = self._limit(headers)
        if length.isdecimal() and int(length) > limit:
            return _too_large(int(length), limit)
        return None

    def _knows_key(self, headers: dict[str, str]) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode("latin-1"), self._api_key)

    def _limit(self, headers: dict[str, str]) -> int:
        is_upload = headers.get("content-type", "").lower().startswith("multipart/")
        return self._upload_bytes if is_upload else JSON_BYTES

    async def _limited(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Runs the app; a body that did not say its length is cut off where it passes the limit."""
        read, started, refused = 0, False, False

        async def counted() -> Message:
            nonlocal read, refused
            message = await receive()
            read += len(message.get("body", b""))
            if read <= limit:
                return message
            if not started and not refused:
                refused = True
                await _refuse(send, _too_large(read, limit))
            return {"type": "http.disconnect"}

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            if not refused:
                await send(message)

        await self._app(scope, counted, watched)


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses; false for names, which may resolve to anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_name(header: str) -> str:
    """The Host header without its port, and an IPv6 address without its brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _origin_host(origin: str) -> str | None:
    """The host and port of an origin, in lower case; None where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as a bracket that is never closed
        return None


def _too_large(size: int, limit: int) -> Refusal:
    hint = "Send fewer or smaller files at once, or raise server.max_upload_mb."
    return Refusal(413, f"The request has {size} bytes or more; the limit is {limit}. {hint}", "request_too_large")


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = json.dumps(error_body(refusal.status, refusal.message, refusal.code)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
