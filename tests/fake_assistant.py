"""A deterministic stand-in for `assistant.chain.Assistant`: the same attributes, events and errors, no models.

It answers with the first sentences of the best document by shared words, each cited, so that citations, spans and
markers are those of a true answer. Its knobs make it slow, busy or broken:

    fake = FakeAssistant(settings)
    fake.token_delay_s = 0.05       # pause before each token; a set cancel event ends it at once
    fake.prefill_s = 30             # pause between Retrieved and the first token, cancellable too
    fake.error = Busy("...")        # raised before the first event of every stream (and by search and embed)
    fake.error_after = (3, EngineFailed("..."))   # raised after so many tokens
    fake.trust = "strict"           # each sentence comes as Pending, then checked; "show": verdicts follow the tokens;
                                    # "": nothing is checked
    fake.verdicts = ("supported", "unchecked")    # of the sentences in turn, where `trust` is set
    fake.unchecked = "..."          # why there is no checker
    fake.invented = "It is of gold."              # the second sentence, which no source supports
    fake.abstains = "not_supported" # there is no answer, for this reason
    fake.alive = 0.0                # the engine has ended
    fake.reading_s = 1              # pause after each chunk that is read ahead; a set cancel event ends it at once
    fake.read                       # collections that were read ahead to their end
    fake.calls                      # what every stream was called with, oldest first
    fake.active, fake.most_active, fake.cancelled # streams running now, most at once, ended by cancel
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assistant.errors import (
    BadInput,
    EmptyCollection,
    EmptyQuestion,
    FileTooLarge,
    UnknownCollection,
    UnknownDocument,
    UnreadableFile,
    UnsupportedFile,
)
from assistant.records import (
    AbstainReason,
    Answer,
    Chunk,
    Citation,
    CollectionInfo,
    Document,
    DocumentInfo,
    Event,
    FileOutcome,
    Finished,
    FinishReason,
    Hit,
    Message,
    OnProgress,
    Pending,
    Progress,
    Retrieved,
    Sampling,
    Sentence,
    SentenceChecked,
    Timings,
    Token,
    Verdict,
)
from assistant.settings import Settings
from assistant.where import Where

LIGHTHOUSE = (
    "The lighthouse on Skarv was built in 1874. Its lamp is seen from 21 nautical miles. "
    "Keeper Ada Lund left the island in 1962."
)
HARBOUR = "The harbour master counts 311 boats. Half of them are open boats."
MODEL_NAME = "fake-llm"
DIMENSIONS = 8
LARGEST_FILE = 100_000  # bytes the fake ingest takes


EVERYWHERE = Where()


@dataclass(frozen=True)
class Call:
    question: str
    history: tuple[Message, ...]
    collection: str | None
    sampling: Sampling | None
    where: Where = EVERYWHERE


@dataclass(frozen=True)
class Line:
    """A sentence as the fake writes it, word by word; `markers` come once it is complete."""

    pieces: tuple[str, ...]
    markers: tuple[str, ...]
    sentence: Sentence
    citations: tuple[Citation, ...] = ()


class FakeAssistant:
    """`assistant.chain.Assistant` without models. `settings.collection` starts with two documents."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model_name = MODEL_NAME
        self.unchecked = ""
        self.ingest = FakeIngest(settings.collection)
        self.ingest.add_bytes("lighthouse.txt", LIGHTHOUSE.encode(), settings.collection)
        self.ingest.add_bytes("harbour.txt", HARBOUR.encode(), settings.collection)
        self.token_delay_s = 0.0
        self.prefill_s = 0.0
        self.error: Exception | None = None
        self.error_after: tuple[int, Exception] | None = None
        self.trust: Literal["strict", "show", ""] = ""
        self.verdicts: tuple[Verdict, ...] = ("supported",)
        self.invented = ""
        self.abstains: AbstainReason | None = None
        self.reading_s = 0.0
        self.read: list[str] = []
        self.calls: list[Call] = []
        self.active = 0
        self.most_active = 0
        self.cancelled = 0
        self.closed = False
        self.alive = 1.0
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(("requests_total", "prompt_tokens_total", "cached_tokens_total"), 0.0)
        self._totals |= dict.fromkeys(("completion_tokens_total", "busy_total", "queue_depth"), 0.0)

    def __enter__(self) -> FakeAssistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

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
        self.calls.append(Call(question, tuple(history), collection, sampling, where or Where()))
        if not question.strip():
            raise EmptyQuestion("The question is empty.", "Type a question.")
        hits = self.search(question, collection=collection, where=where)
        with self._lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            yield from self._events(question, hits, cancel or threading.Event(), sampling or Sampling())
        finally:
            with self._lock:
                self.active -= 1

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
        arguments = {
            "history": history,
            "collection": collection,
            "cancel": cancel,
            "sampling": sampling,
            "where": where,
        }
        *_, last = self.stream(question, **arguments)
        assert isinstance(last, Finished)
        return last.answer

    def search(
        self, query: str, *, k: int | None = None, collection: str | None = None, where: Where | None = None
    ) -> list[Hit]:
        if self.error is not None:
            raise self.error
        if not query.strip():
            raise EmptyQuestion("The query is empty.", "Type some words to look for.")
        documents = self.ingest.stored(collection or self.settings.collection)
        if not documents:
            raise EmptyCollection(f"Collection {collection!r} is empty.", "Add documents to it.")
        infos = {info.id: info for info in self.ingest.documents(collection or self.settings.collection)}
        meant = [document for document in documents.values() if not where or where.fits(infos[document.id])]
        if not meant:
            raise EmptyCollection(f"There are no documents with {where}.", "Look for others.")
        hits = [Hit(_whole(document), _overlap(query, document.text)) for document in meant]
        return sorted(hits, key=lambda hit: -hit.score)[: k or self.settings.retrieve.k]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.error is not None:
            raise self.error
        digests = [hashlib.sha256(text.encode()).digest()[:DIMENSIONS] for text in texts]
        vectors = np.array([list(digest) for digest in digests], dtype=np.float32) + 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def read_ahead(
        self, collection: str | None = None, progress: OnProgress | None = None, cancel: threading.Event | None = None
    ) -> int:
        name = collection or self.settings.collection
        documents = self.ingest.stored(name)
        if self.error is not None:
            raise self.error
        for done in range(len(documents)):
            if progress:
                progress(Progress("Reading ahead", done, len(documents), "chunks"))
            if (cancel or threading.Event()).wait(self.reading_s):
                return done
        self.read.append(name)
        return len(documents)

    def stats(self) -> dict[str, float]:
        return self._totals | {"active": float(self.active), "alive": self.alive}

    def _events(self, question: str, hits: list[Hit], cancel: threading.Event, sampling: Sampling) -> Iterator[Event]:
        began = time.monotonic()
        yield Retrieved(tuple(hits))
        reason: FinishReason = "cancelled" if cancel.wait(self.prefill_s) else "stop"
        kept: list[Line] = []
        left_out: list[str] = []
        text, written = "", 0
        for line in self._lines(hits[0].chunk):
            if reason != "stop":
                break
            so_far, reason = yield from self._write(line, written, cancel, sampling.max_tokens)
            written += len(so_far)
            said = "".join(so_far)
            if self.trust != "strict":
                text += said
                kept += [line] if reason == "stop" else []
                continue
            yield Pending("")
            if reason == "stop" and line.sentence.verdict == "unsupported":
                left_out.append(line.sentence.text)
            elif reason == "stop":
                text += said
                kept.append(line)
                yield Token(said)
                yield SentenceChecked(line.sentence, line.citations)
        if self.trust != "strict":
            yield from (SentenceChecked(line.sentence, line.citations) for line in kept)
        self.cancelled += reason == "cancelled"
        timings = Timings(total_s=time.monotonic() - began, ttft_s=self.prefill_s, prompt_tokens=40, cached_tokens=30)
        timings = replace(timings, completion_tokens=written)
        self._count(timings)
        if self.abstains:
            text = f"The documents do not say. Nearest is “{hits[0].chunk.title}”."
            yield Token(text)
        checked = tuple(line.sentence for line in kept)
        cited = tuple(citation for line in kept for citation in line.citations)
        found = (bool(self.abstains), self.abstains, checked, cited, tuple(hits), timings, self.model_name, reason)
        yield Finished(Answer(question, text, *found, left_out=tuple(left_out)))

    def _write(
        self, line: Line, written: int, cancel: threading.Event, most: int | None
    ) -> Generator[Event, None, tuple[list[str], FinishReason]]:
        """A sentence while it is written; its pieces, and why they ended. `written` pieces were before it."""
        pieces: list[str] = []
        for piece in (*line.pieces, *line.markers):
            if most is not None and written + len(pieces) >= most:
                return pieces, "length"
            if cancel.wait(self.token_delay_s):
                return pieces, "cancelled"
            if self.error_after is not None and written + len(pieces) >= self.error_after[0]:
                raise self.error_after[1]
            pieces.append(piece)
            yield Pending("".join(pieces)) if self.trust == "strict" else Token(piece)
        return pieces, "stop"

    def _lines(self, chunk: Chunk) -> list[Line]:
        """The first two sentences of a chunk, each citing itself, and between them what is `invented`."""
        if self.abstains:
            return [_line(self.invented, "unsupported")] if self.invented else []
        lines: list[Line] = []
        for n, match in enumerate(list(re.finditer(r"[^.]+\.", chunk.text))[:2], start=1):
            quote = match[0].strip()
            start = chunk.start + match.end() - len(quote)
            facts = (chunk.document_id, chunk.file, chunk.title, chunk.publisher, chunk.date, chunk.page)
            citation = Citation(n, *facts, start, start + len(quote), quote)
            verdict = self.verdicts[(n - 1) % len(self.verdicts)] if self.trust else "unchecked"
            lines.append(_line(quote, verdict, citation))
            if n == 1 and self.invented:
                lines.append(_line(self.invented, "unsupported"))
        first, *rest = lines
        return [first, *(replace(line, pieces=(f" {line.pieces[0]}", *line.pieces[1:])) for line in rest)]

    def _count(self, timings: Timings) -> None:
        with self._lock:
            self._totals["requests_total"] += 1
            for name in ("prompt_tokens", "cached_tokens", "completion_tokens"):
                self._totals[f"{name}_total"] += getattr(timings, name)


class FakeIngest:
    """`assistant.ingest.Ingest` in memory. Takes .txt and .md in UTF-8 up to LARGEST_FILE bytes."""

    def __init__(self, collection: str) -> None:
        self._collections: dict[str, dict[str, Document]] = {collection: {}}

    def stored(self, collection: str) -> dict[str, Document]:
        if collection not in self._collections:
            known = ", ".join(self._collections)
            raise UnknownCollection(f"There is no collection {collection!r}.", f"There are: {known}.")
        return self._collections[collection]

    def add_bytes(self, name: str, data: bytes, collection: str) -> FileOutcome:
        if not re.fullmatch(r"[\w-]{1,60}", collection):
            raise BadInput(f"{collection!r} cannot be a collection's name.", "Use letters, digits, - and _.")
        if PurePosixPath(name).suffix not in (".txt", ".md"):
            raise UnsupportedFile(f"{name} is of a kind that is not read.", "Give .txt or .md.")
        if len(data) > LARGEST_FILE:
            raise FileTooLarge(f"{name} has {len(data)} bytes.", f"The limit is {LARGEST_FILE}.")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise UnreadableFile(f"{name} is not text.", "Save it as UTF-8.") from error
        sha256 = hashlib.sha256(data).hexdigest()
        documents = self._collections.setdefault(collection, {})
        outcome = "unchanged" if sha256[:16] in documents else "added"
        documents[sha256[:16]] = Document(
            sha256[:16], sha256, f"upload/{name}", name, text, title=text.partition(".")[0], date="2025-01-31"
        )
        return FileOutcome(f"upload/{name}", outcome, sha256[:16], chunks=1)

    def documents(self, collection: str) -> list[DocumentInfo]:
        return [_info(document) for document in self.stored(collection).values()]

    def document(self, document_id: str, collection: str) -> Document:
        documents = self.stored(collection)
        if document_id not in documents:
            raise UnknownDocument(f"There is no document {document_id!r}.", "List them.")
        return documents[document_id]

    def delete(self, document_id: str, collection: str) -> None:
        self.document(document_id, collection)
        del self._collections[collection][document_id]

    def collections(self) -> list[CollectionInfo]:
        items = self._collections.items()
        return [CollectionInfo(name, len(documents), len(documents), "fake-embedder") for name, documents in items]

    def close(self) -> None:
        return


def _info(document: Document) -> DocumentInfo:
    facts = (document.id, document.path, document.file, document.title, document.publisher, document.author)
    return DocumentInfo(*facts, document.date, len(document.text), 1, "2025-02-01T00:00:00+00:00")


def _whole(document: Document) -> Chunk:
    end = len(document.text)
    place = {"file": document.file, "title": document.title, "date": document.date}
    return Chunk(f"{document.id}-0-{end}", document.id, document.text, 0, end, **place)


def _overlap(query: str, text: str) -> float:
    return float(len(set(re.findall(r"\w+", query.lower())) & set(re.findall(r"\w+", text.lower()))))


def _line(text: str, verdict: Verdict, *citations: Citation) -> Line:
    numbers = tuple(citation.n for citation in citations)
    markers = tuple(f" [{n}]" for n in numbers)
    return Line(tuple(re.findall(r"\s*\S+", text)), markers, Sentence(text, verdict, numbers), citations)
