"""The passages for a question, as a step of the LangChain chain: by its own words, and where these find passages in
another language, by its translation into theirs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from assistant.errors import AssistantError
from assistant.passages import before
from assistant.prompt import Prompts
from assistant.records import Sampling
from assistant.retrieve import Retriever
from assistant.runnables import ChunkRetriever, LocalChatModel, to_messages
from assistant.translate import accepted, other, spoken, target

_TOKENS = 150  # the most of a translation

log = logging.getLogger(__name__)


class Finding:
    """Searches once, or twice."""

    def __init__(self, retriever: Retriever, model: LocalChatModel, prompts: Prompts, k: int) -> None:
        self._retriever = retriever
        self._model = model
        self._prompts = prompts
        self._k = k

    def find(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is asked with "documents", and with "sought": the question, and the one before it, that found them.

        Raises what the search raises.
        """
        chunks = ChunkRetriever(retriever=self._retriever, collection=asked["collection"], k=self._k)
        question, referred, where = asked["question"], before(asked["history"]), asked["where"]
        found = chunks.invoke(question, before=referred, where=where)
        translated = self._translated(question, referred, [one.page_content for one in found], asked["cancel"])
        if translated:
            own = [one for one in found if not other(spoken(question, referred), one.page_content)]
            found = _by_turns(own, chunks.invoke(translated[0], before=translated[1], where=where))[: self._k]
        return asked | {"documents": found, "sought": translated or (question, referred)}

    def _translated(
        self, question: str, referred: str, texts: Sequence[str], cancel: threading.Event | None
    ) -> tuple[str, str] | None:
        """A question, and what it refers to, in the language of the texts; None where it is in theirs, and where the
        model cannot say it or has no time.
        """
        language = target(question, texts, referred)
        if not language:
            return None
        whole = "\n".join(" ".join(line.split()) for line in (*referred.splitlines(), question))
        prompt = to_messages(self._prompts.translation(whole, language))
        sampling = Sampling(temperature=0, max_tokens=_TOKENS)
        try:  # no callback hears of it: it is no part of the answer
            said = self._model.invoke(prompt, {"callbacks": []}, sampling=sampling, cancel=cancel)
        except AssistantError as error:
            log.warning("A question was not translated: %s", error)
            return None
        return accepted(str(said.text), whole, texts) if said.response_metadata["finish_reason"] == "stop" else None


def _by_turns(one: Sequence[Any], two: Sequence[Any]) -> list[Any]:
    """The documents of both, the best of each first, each once."""
    both = chain.from_iterable(zip_longest(one, two))
    return list({document.id: document for document in both if document}.values())
