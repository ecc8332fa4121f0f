"""A blocking iterator, run in a thread, as an asynchronous one that ends when its reader goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import Executor
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class _End(Enum):
    END = 0


async def iterate(
    start: Callable[[], Iterator[T]],
    *,
    executor: Executor,
    cancel: threading.Event,
    receive: Receive,
    silence_s: float,
) -> AsyncGenerator[T | None]:
    """The items of `start()`, and None whenever `silence_s` seconds passed without one.

    `receive` is ASGI's, after the body was read: when it tells that the client went away, `cancel` is set at once,
    also while no item comes; so it is when the reader stops early. Raises what the iterator raised.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[T | _End] = asyncio.Queue()

    def pump() -> None:
        try:
            for item in start():
                loop.call_soon_threadsafe(queue.put_nowait, item)
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, _End.END)

    pumping = executor.submit(pump)
    watch = asyncio.create_task(_cancel_when_gone(receive, cancel))
    try:
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    item = await queue.get()
            except TimeoutError:
                yield None
                continue
            if isinstance(item, _End):
                await asyncio.wrap_future(pumping)
                return
            yield item
    finally:
        cancel.set()
        watch.cancel()


async def _cancel_when_gone(receive: Receive, cancel: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel.set()
