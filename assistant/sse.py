"""An answer's events as the server-sent events of OpenAI's chat stream."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from assistant.errors import AssistantError, EngineFailed
from assistant.openai_errors import assistant_error_body, internal_error_body
from assistant.openai_wire import Reply
from assistant.records import Answer, Event, Finished, Pending, Retrieved, SentenceChecked, Token

KEEP_ALIVE_S = 5.0  # silence after which a comment is sent, so that no proxy takes the stream for dead

Events = AsyncGenerator[Event | None]  # None for every KEEP_ALIVE_S seconds of silence

log = logging.getLogger(__name__)


async def first_text(events: Events) -> Event | None:
    """The first event that has something to show; errors before it become a true HTTP status.

    None when it does not come within KEEP_ALIVE_S seconds: then the stream has to begin without it.
    """
    async for event in events:
        if not isinstance(event, Retrieved):
            return event
    raise EngineFailed("The answer ended before it began.", "Ask again.")


async def write(
    first: Event | None, rest: Events, reply: Reply, with_usage: bool, answered: Callable[[Answer], None]
) -> AsyncIterator[str]:
    """Server-sent events of one answer, `first` being the first of its events. An error becomes the last of them."""
    yield _data(reply.chunk(role="assistant", content=""))
    try:
        async with aclosing(rest):
            async for event in _joined(first, rest):
                for line in _lines(event, reply, with_usage):
                    yield line
                if isinstance(event, Finished):
                    answered(event.answer)
    except AssistantError as error:
        yield _data(assistant_error_body(error))
    except Exception:
        log.exception("an answer broke off")
        yield _data(internal_error_body())


async def _joined(first: Event | None, rest: Events) -> Events:
    yield first
    async for event in rest:
        yield event


def _lines(event: Event | None, reply: Reply, with_usage: bool) -> Iterator[str]:
    match event:
        case None:
            yield ": still working\n\n"
        case Token(text=text):
            yield _data(reply.chunk(content=text))
        case Finished(answer=answer):
            yield _data(reply.last_chunk(answer))
            if with_usage:
                yield _data(reply.usage_chunk(answer))
            yield "data: [DONE]\n\n"
        case Retrieved() | Pending() | SentenceChecked():
            pass  # OpenAI's stream has no place for them; the last chunk has it all


def _data(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
