"""One question from door to model and back: the LangChain chain and the order of its stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from types import TracebackType
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from numpy.typing import NDArray

from assistant.abstain import abstention
from assistant.check import YES_OR_NO, Checker, Glance
from assistant.cite import Citer
from assistant.draft import Check, Draft, Unchecked, VerbatimDraft
from assistant.embedder import Embedder
from assistant.engine import Engine, Params, Weighing
from assistant.errors import EngineFailed, ModelError, QuestionTooLong
from assistant.finding import Finding
from assistant.groundedness import Groundedness
from assistant.ingest import Ingest
from assistant.opening import Loading, cross_encoder
from assistant.pertinent import NoAnswer, Pertinence
from assistant.prompt import Prompt, Prompts
from assistant.question import checked, unicode
from assistant.records import (
    AbstainReason,
    Answer,
    Event,
    Finished,
    Hit,
    Message,
    OnProgress,
    Progress,
    Retrieved,
    Sampling,
    heading,
)
from assistant.retrieve import Retriever
from assistant.runnables import LocalChatModel, to_hit, to_message, to_messages, to_turns, with_grammar
from assistant.settings import Settings
from assistant.where import Where
from assistant.writing import Until, Writing, limit_s

# {"question", "history", "collection", ...} gain "documents", "sought" and "prompt"
Context = Runnable[dict[str, Any], dict[str, Any]]


class Assistant:
    """Answers questions from documents. Thread safe; close it, or use it in a `with` statement."""

    def __init__(
        self,
        settings: Settings,
        ingest: Ingest,
        retriever: Retriever,
        engine: Engine,
        model_name: str,
        checker: Checker | None = None,
        unchecked: str = "",
    ) -> None:
        """`unchecked` says why there is no checker, where the settings ask for checks all the same."""
        self.settings = settings
        self.ingest = ingest
        self.model_name = model_name
        self.unchecked = unchecked
        self._retriever = retriever
        self._engine = engine
        self._checker = checker if settings.trust.mode != "off" else None
        self._strict = settings.trust.mode == "strict"
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
        retrieve = RunnableLambda(Finding(retriever, self._model, self._prompts, settings.retrieve.k).find)
        assemble = RunnableLambda(self._assemble)
        self._context: Context = retrieve | RunnablePassthrough.assign(prompt=assemble)

    @classmethod
    def open(cls, settings: Settings, loading: Loading | None = None) -> Assistant:
        """Loads models and index. `loading` is the language model, where somebody has begun to load it.

        Without the groundedness model that the settings name nothing is checked, and `unchecked` says so. Raises
        ModelMissing, ModelDamaged, UnknownModel, EmbedderMismatch, StorageError, EngineFailed.
        """
        with ExitStack() as opened:  # closes what is open already when another part fails
            loading = opened.enter_context(closing(loading or Loading.start(settings)))
            ingest = opened.enter_context(closing(Ingest.open(settings)))
            found = opened.enter_context(closing(retriever(ingest, settings)))
            checker, unchecked = _checker(settings, ingest.embedder, loading.sha256)
            if checker:
                opened.enter_context(closing(checker))
            ingest.warm(settings.collection)  # while the model loads
            assistant = cls(settings, ingest, found, loading.engine.result(), loading.name, checker, unchecked)
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
        prompt: Prompt = self._context.invoke(self._asked(question, history, collection, where, cancel))["prompt"]
        yield Retrieved(prompt.hits, prompt.dropped_turns)
        glance = self._checker.glance(self._strict and not sampling.grammar) if self._checker else Glance()
        writing = Writing(self._draft(question, prompt, sampling, cancel, glance), started)
        reason: AbstainReason | None = None if prompt.hits else "no_hits"
        if not reason:
            yield from writing.write(self._model, prompt.messages, cancel, sampling, glance)
            reason = "out_of_scope" if glance.out_of_scope else None
        if not reason:
            if writing.draft.failed and writing.finish == "stop":
                again = self._prompts.again(prompt, writing.text, writing.draft.failed)
                yield from writing.try_again(self._model, again, cancel, sampling)
            yield from writing.draft.disagreements()
            if self._strict and not writing.draft.text and writing.finish != "cancelled":
                reason = "not_supported"
        if reason:
            yield writing.say(abstention(reason, prompt.hits, *prompt.sought))
        yield Finished(self._answer(question, prompt, writing, reason))

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
                with suppress(QuestionTooLong):  # then no prompt has room for the chunk either
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
        with ExitStack() as closes:  # each, whatever becomes of the others
            for part in (self.ingest, self._retriever, self._checker, self._engine):
                if part:
                    closes.callback(part.close)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(
        self,
        question: str,
        history: Sequence[Message],
        collection: str | None,
        where: Where | None,
        cancel: threading.Event | None = None,
    ) -> dict[str, Any]:
        return {
            "question": checked(question),
            "history": [Message(turn.role, unicode(turn.content, "history")) for turn in history],
            "collection": collection or self.settings.collection,
            "where": where,
            "cancel": cancel,
        }

    def _assemble(self, context: dict[str, Any]) -> Prompt:
        hits = [to_hit(document) for document in context["documents"]]
        return self._build(context["question"], context["history"], hits, context["sought"])

    def _build(
        self, question: str, history: Sequence[Message], hits: Sequence[Hit], sought: tuple[str, str] | None = None
    ) -> Prompt:
        return self._prompts.build(
            question,
            history,
            hits,
            count=self._engine.count,
            budget=self._engine.context_tokens - self.settings.answer.max_tokens,
            history_budget=self.settings.answer.history_tokens,
            sought=sought,
        )

    def _draft(
        self,
        question: str,
        prompt: Prompt,
        sampling: Sampling,
        cancel: threading.Event | None,
        glance: Glance,
    ) -> Draft:
        """Ties the answer to the hits, and begins the check of each sentence when it is complete. What is not checked
        when the answer's time is over stays unchecked.
        """
        checker, stop = self._checker, Until(cancel, limit_s(self._model, sampling))

        def ask(sentence: str) -> Weighing:
            turns = to_turns(to_messages(self._prompts.stated(prompt, sentence)))
            return self._engine.weigh(turns, YES_OR_NO, stop)

        def begin(sentence: str) -> Check:
            return checker.begin(sentence, prompt.hits, ask, glance.known) if checker else Unchecked()

        def begin_strictly(sentence: str) -> Check:
            failed = draft.failed if draft.tried else ()
            if checker and not pertinence.fits(sentence, carrying, failed):
                return NoAnswer()
            return begin(sentence)

        def carrying(sentence: str) -> list[str]:
            chunks = (candidate.hit.chunk for candidate in citer.find(sentence))
            return [f"{heading(chunk)}\n{chunk.text}" for chunk in chunks]

        citer, pertinence = Citer(question, prompt.hits), Pertinence(question)
        if sampling.grammar:
            return VerbatimDraft(citer, begin)
        nearest = checker.nearest if checker else None
        draft = Draft(citer, begin_strictly if self._strict else begin, self._strict, nearest)
        return draft

    def _answer(self, question: str, prompt: Prompt, writing: Writing, reason: AbstainReason | None) -> Answer:
        draft = writing.draft
        return Answer(
            question=question,
            answer=draft.text,
            abstained=reason is not None,
            reason=reason,
            sentences=tuple(draft.sentences),
            citations=draft.citations,
            hits=prompt.hits,
            timings=writing.timings(),
            model=self.model_name,
            finish_reason=writing.finish,
            dropped_turns=prompt.dropped_turns,
            left_out=tuple(draft.failed),
        )


def retriever(ingest: Ingest, settings: Settings) -> Retriever:
    """A retriever over the same index that `ingest` writes. Raises UnknownModel, ModelMissing, ModelDamaged."""
    rerank = settings.retrieve.rerank
    pairs = cross_encoder(settings, "reranker") if rerank else None
    return Retriever(ingest.embedder, ingest.index, ingest.library, rerank, pairs)


def _checker(settings: Settings, embedder: Embedder, model_sha256: str) -> tuple[Checker | None, str]:
    """The checker, or why there is none though the settings ask for checks. Raises UnknownModel."""
    if settings.trust.mode == "off":
        return None, ""
    checker = Checker.load(embedder, model_sha256)
    if checker is None:
        return None, f"Answers are not checked: the check knows the default embedder only, not {embedder.name}."
    try:
        model = cross_encoder(settings, "checker")
    except ModelError as error:
        return None, f"Answers are not checked. {error}"
    checker.grounds = Groundedness(model) if model else None
    return checker, ""


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
