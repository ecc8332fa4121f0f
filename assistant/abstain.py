"""What is said where the documents do not answer a question: why, and which passages come nearest. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.passages import nearest
from assistant.records import AbstainReason, Chunk, Hit, heading

WHY: dict[AbstainReason, str] = {
    "no_hits": "No passage of the documents was found for this question.",
    "not_supported": "The documents do not answer this question.",
    "out_of_scope": "The documents do not seem to answer this question.",
}
_LEAD = "The nearest passages, which may or may not help:"


def abstention(reason: AbstainReason, hits: Sequence[Hit], question: str, before: str = "") -> str:
    """The text of an answer that is none. It quotes the sentences nearest to the question as suggestions, a line each.

    `before` is the question before this one in the conversation.
    """
    chunks = {hit.chunk.id: hit.chunk for hit in hits}
    lines = [
        f"- “{passage.text}” ({_origin(chunks[passage.chunk_id])})" for passage in nearest(question, hits, before)
    ]
    return "\n".join([WHY[reason], *([_LEAD, *lines] if lines else [])])


def _origin(chunk: Chunk) -> str:
    return heading(chunk) + (f", page {chunk.page}" if chunk.page else "")
