"""The fixed JSON forms that every door prints and sends."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from assistant.errors import AssistantError
from assistant.records import Answer, Document, Hit


def answer_json(answer: Answer) -> dict[str, Any]:
    """The Answer as `ask --json`, `batch` and the API give it."""
    return asdict(answer) | {"hits": [hit_json(hit) for hit in answer.hits]}


def hit_json(hit: Hit) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "chunk_id": chunk.id,
        "document_id": chunk.document_id,
        "file": chunk.file,
        "score": round(hit.score, 6),
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
    }


def error_json(error: AssistantError) -> dict[str, str]:
    return {"type": error.type, "message": str(error)}


def document_json(document: Document) -> dict[str, Any]:
    """A document with its text."""
    return asdict(document)
