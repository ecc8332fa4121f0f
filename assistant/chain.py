"""One question from door to model and back: the LangChain chain and the order of its stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from numpy.typing import NDArray

from assistant.cite import Citer
from assistant.draft import Draft, VerbatimDraft
from assistant.engine import Engine, Params
from assistant.errors import EngineFailed
from assistant.ingest import Ingest
from assistant.opening import Loading
from assistant.prompt import Prompt, Prompts
from assistant.question import before, checked, unicode
from assistant.records import (
    Answer,
    Event,
    Finished,
    Hit,
    Message,
    OnProgress,
    Progress,
    Retrieved,
    Sampling,
    Timings,
)
from assistant.retrieve import Retriever
from assistant.runnables import ChunkRetriever, LocalChatModel, to_hit, to_message, to_messages, to_turns, with_grammar
from assistant.settings import Settings
from assistant.where import Where

Context = Runnable[dict[str, Any], dict[str, Any]]  # {"question", "history", "collection"} gain "documents", "prompt"


class Assistant:
    """Answers questions from documents. Thread safe; close it, or use it in a `with` statement."""

    def __init__(
        self, settings: Settings, ingest: Ingest, retriever: Retriever, engine: Engine, model_name: str
    ) -> None:
        self.settings = settings
        self.ingest = ingest
        self.model_name = model_name
        self._retriever = retriever
        self._engine = engine
        self._prompts = Prompts(point=settings.engine.reuse == "chunks")
        self._model = LocalChatModel(
            engine=engine,
            params=Params(
                max_tokens=settings.answer.max_tokens,
                temperature=settings.answer.temperature,
                seed=settings.answer.seed,
                timeout_s=settings.answer.timeout_s or None,
            ),
        )
        retrieve = RunnableLambda(self._retrieve)
        assemble = RunnableLambda(self._assemble)
        self._context: Context = RunnablePassthrough.assign(documents=retrieve) | RunnablePassthrough.assign(
            prompt=assemble
        )

    @classmethod
    def open(cls, settings: Settings, loading: Loading | None = None) -> Assistant:
        """Loads models and index. `loading` is the language model, where somebody has begun to load it.

        Raises ModelMissing, ModelDamaged, EmbedderMismatch, StorageError, EngineFailed.
        """
        with ExitStack() as opened:  # closes what is open already when another part fails
            loading = opened.enter_context(closing(loading or Loading.start(settings)))
            ingest = opened.enter_context(closing(Ingest.open(settings)))
            assistant = cls(settings, ingest, retriever(ingest, settings), loading.engine.result(), loading.name)
            opened.pop_all()
        return assistant

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        collection: str | None = None,
        cancel: threading.Event | None = None,
        sampling: Sampling | None = None,
        where: Where | None = None,
    ) -> Iterator[Event]:
        """Events of one answer: Retrieved, then Token and SentenceChecked as they come, then Finished.

        Setting `cancel`, or closing the iterator, stops it. Before the first event it raises EmptyQuestion,
        QuestionTooLong, UnknownCollection, EmptyCollection, BadFormat or Busy; later EngineFailed, BadFormat for a
        grammar, and Busy where others came between. Where `sampling` gives the text a form it stays without markers.
        """
        started = time.monotonic()
        sampling = with_grammar(sampling or Sampling())
        self._engine.check_busy()
        prompt: Prompt = self._context.invoke(self._asked(question, history, collection, where))["prompt"]
        retrieve_s = time.monotonic() - started
        yield Retrieved(prompt.hits, prompt.dropped_turns)
        draft = (VerbatimDraft if sampling.grammar else Draft)(Citer(question, prompt.hits))
        done: dict[str, Any] = {}
        for chunk in self._model.stream(to_messages(prompt.messages), cancel=cancel, sampling=sampling):
            yield from draft.feed(chunk.text)
            done |= chunk.response_metadata
        yield from draft.flush()
        timings = _timings(done["engine"], retrieve_s, time.monotonic() - started)
        yield Finished(self._answer(question, prompt, draft, timings, done["finish_reason"]))

    def answer(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        collection: str | None = None,
        cancel: threading.Event | None = None,
        sampling: Sampling | None = None,
        where: Where | None = None,
    ) -> Answer:
        """The whole answer. Raises what `stream` raises."""
        events = self.stream(
            question, history=history, collection=collection, cancel=cancel, sampling=sampling, where=where
        )
        for event in events:
            if isinstance(event, Finished):
                return event.answer
        raise EngineFailed("The answer ended without its last event.", "Ask again.")

    def search(
        self, query: str, *, k: int | None = None, collection: str | None = None, where: Where | None = None
    ) -> list[Hit]:
        """The best `k` chunks for a query, best first. Raises EmptyQuestion, UnknownCollection, EmptyCollection."""
        return search(self._retriever, self.settings, query, k=k, collection=collection, where=where)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings, [n, dimensions], of length 1."""
        return self.ingest.embedder.embed([unicode(text, "text") for text in texts])

    def read_ahead(
        self, collection: str | None = None, progress: OnProgress | None = None, cancel: threading.Event | None = None
    ) -> int:
        """Reads a collection's chunks into the KV cache before anybody asks; questions asked meanwhile go first.

        Returns how many tokens were computed: 0 when all was read before, or `engine.reuse` is "exact". It stops at
        `cancel`, and when the disk limit is reached. Raises UnknownCollection, EngineFailed.
        """
        name, cancel = collection or self.settings.collection, cancel or threading.Event()
        chunk_ids = self.ingest.library.chunk_ids(name) if self.settings.engine.reuse == "chunks" else []
        computed = 0
        for done, chunk_id in enumerate(chunk_ids):
            if cancel.is_set() or self._engine.store.disk_full:
                break
            if progress:
                progress(Progress("Reading ahead", done, len(chunk_ids), "chunks"))
            for chunk in self.ingest.library.chunks(name, [chunk_id]).values():
                prompt = self._build("?", (), [Hit(chunk, 0.0)])
                computed += self._engine.read(to_turns(to_messages(prompt.messages)), cancel)
        else:
            if progress and chunk_ids:
                progress(Progress("Reading ahead", len(chunk_ids), len(chunk_ids), "chunks"))
        return computed

    def runnable(self, collection: str | None = None) -> Runnable[dict[str, Any], AIMessage]:
        """The whole chain for use inside another: {"question", "history", "collection"} to the model's message.

        `history` takes our messages or LangChain's, `where` a `Where`; these and `collection` may be left out.
        """

        def fill(asked: dict[str, Any]) -> dict[str, Any]:
            history = [to_message(turn) for turn in asked.get("history", ())]
            return self._asked(asked["question"], history, asked.get("collection") or collection, asked.get("where"))

        pick: Runnable[dict[str, Any], list[BaseMessage]] = RunnableLambda(
            lambda context: to_messages(context["prompt"].messages)
        )
        return RunnableLambda(fill) | self._context | pick | self._model

    def stats(self) -> dict[str, float]:
        """The engine's totals since it opened, and how many requests wait and run now."""
        waiting, running = self._engine.depth()
        return self._engine.stats() | {"queue_depth": waiting, "active": running}

    def close(self) -> None:
        try:
            self._engine.close()
        finally:
            self.ingest.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(
        self, question: str, history: Sequence[Message], collection: str | None, where: Where | None
    ) -> dict[str, Any]:
        return {
            "question": checked(question),
            "history": [Message(turn.role, unicode(turn.content, "history")) for turn in history],
            "collection": collection or self.settings.collection,
            "where": where,
        }

    def _retrieve(self, asked: dict[str, Any]) -> list[Any]:
        chunks = ChunkRetriever(retriever=self._retriever, collection=asked["collection"], k=self.settings.retrieve.k)
        return chunks.invoke(asked["question"], before=before(asked["history"]), where=asked["where"])

    def _assemble(self, context: dict[str, Any]) -> Prompt:
        hits = [to_hit(document) for document in context["documents"]]
        return self._build(context["question"], context["history"], hits)

    def _build(self, question: str, history: Sequence[Message], hits: Sequence[Hit]) -> Prompt:
        return self._prompts.build(
            question,
            history,
            hits,
            count=self._engine.count,
            budget=self._engine.context_tokens - self.settings.answer.max_tokens,
            history_budget=self.settings.answer.history_tokens,
        )

    def _answer(self, question: str, prompt: Prompt, draft: Draft, timings: Timings, finish: Any) -> Answer:
        return Answer(
            question=question,
            answer=draft.text,
            abstained=False,
            reason=None,
            sentences=tuple(draft.sentences),
            citations=draft.citations,
            hits=prompt.hits,
            timings=timings,
            model=self.model_name,
            finish_reason=finish,
            dropped_turns=prompt.dropped_turns,
        )


def retriever(ingest: Ingest, settings: Settings) -> Retriever:
    """A retriever over the same index that `ingest` writes."""
    return Retriever(ingest.embedder, ingest.index, ingest.library, settings.retrieve.rerank)


def search(
    source: Retriever,
    settings: Settings,
    query: str,
    *,
    k: int | None = None,
    collection: str | None = None,
    where: Where | None = None,
) -> list[Hit]:
    """What `Assistant.search` does, for those who need no language model."""
    return source.search(collection or settings.collection, checked(query), k or settings.retrieve.k, where=where)


def _timings(engine: dict[str, Any], retrieve_s: float, total_s: float) -> Timings:
    return Timings(
        retrieve_s=round(retrieve_s, 4),
        queue_s=round(engine["queue_s"], 4),
        prefill_s=round(engine["prefill_s"], 4),
        ttft_s=round(retrieve_s + engine["ttft_s"], 4),
        decode_tok_s=round(engine["decode_tok_s"], 2),
        total_s=round(total_s, 4),
        prompt_tokens=engine["prompt_tokens"],
        cached_tokens=engine["cached_tokens"],
        completion_tokens=engine["completion_tokens"],
    )
