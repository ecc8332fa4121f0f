"""The passages for a question, as a step of the LangChain chain: by its own words, and where these find passages in
another language, by its translation into theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from assistant.passages import before
from assistant.prompt import Prompts
from assistant.records import Sampling
from assistant.retrieve import Retriever
from assistant.runnables import ChunkRetriever, LocalChatModel, to_messages
from assistant.translate import accepted, target

_TRANSLATION_TOKENS = 120  # the most of a question in another language


class Finding:
    """Called with what is asked; gives that with "documents" and "sought", the translation that found them or ""."""

    def __init__(self, retriever: Retriever, model: LocalChatModel, prompts: Prompts, k: int) -> None:
        self._retriever = retriever
        self._model = model
        self._prompts = prompts
        self._k = k

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises what the search raises, and what the model raises where it is to translate."""
        chunks = ChunkRetriever(retriever=self._retriever, collection=asked["collection"], k=self._k)
        referred, where = before(asked["history"]), asked["where"]
        found = chunks.invoke(asked["question"], before=referred, where=where)
        texts = [document.page_content for document in found]
        sought = self._translation(f"{referred} {asked['question']}".strip(), texts, asked.get("cancel"))
        if sought:
            found = chunks.invoke(sought, where=where)
        return asked | {"documents": found, "sought": sought}

    def _translation(self, question: str, texts: Sequence[str], cancel: threading.Event | None) -> str:
        """What is asked in the language of the texts; "" where it is in theirs, or could not be put into it."""
        language = target(question, texts)
        if not language:
            return ""
        prompt = to_messages(self._prompts.translation(question, language))
        sampling = Sampling(temperature=0, max_tokens=_TRANSLATION_TOKENS)
        said = self._model.invoke(prompt, sampling=sampling, cancel=cancel).text
        return accepted(str(said), texts)
