"""Where the server listens, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from assistant.errors import BadInput

SHUTDOWN_S = 3  # how long answers may go on after the server was told to stop

log = logging.getLogger(__name__)


def check_port(host: str, port: int) -> None:
    """Raises BadInput when nothing can listen there: port taken, no such address, no permission."""
    _bind(host, port).close()


def serve(app: FastAPI, host: str, port: int, on_listen: Callable[[str, int], None] | None = None) -> None:
    """Serves until Ctrl-C or SIGTERM, then lets answers end within SHUTDOWN_S seconds.

    `on_listen` gets the address and the true port (for port 0) once connections are taken. `host` should be
    `settings.server.host`, by which the app decides which Host headers it accepts. Raises BadInput as `check_port`.
    """
    listener = _bind(host, port)
    config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S)
    with listener, _sigterm_as_ctrl_c():
        if on_listen is not None:
            on_listen(*listener.getsockname()[:2])
        try:
            _Server(config, getattr(app.state, "before_stop", lambda: None)).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn has shut down already and passes the signal on
            log.info("stopped by a signal")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, before_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets a mounted page end the connections of its open tabs first: they never end by themselves."""
        self._before_stop()
        await super().shutdown(sockets)


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket. IPv4 where a name has both, since browsers try both."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadInput(f"Cannot listen on {host}: {error.strerror}.", "Correct server.host.") from error
    try:
        if os.name == "posix":  # on Windows it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        hint = "Stop what listens there, or choose another port with --port (for make: PORT=...)."
        raise BadInput(f"Cannot listen on {host}, port {port}: {error.strerror}.", hint) from error
    return listener


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Inside, SIGTERM ends the server as Ctrl-C does, so that the caller still closes what it opened."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
