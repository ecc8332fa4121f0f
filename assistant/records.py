"""The values that travel between rooms: frozen, plain, without behaviour of their own.

Offsets (`start`, `end`) are character offsets into `Document.text`, half open; durations end in `_s` and are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
Verdict = Literal["supported", "unsupported", "unchecked"]
AbstainReason = Literal["no_hits", "not_supported", "out_of_scope"]
FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was read. `id` is the first 16 hex digits of `sha256`, the hash of the file's bytes."""

    id: str
    sha256: str
    path: str  # absolute path, or "upload/NAME" for a document that came over HTTP or the page
    file: str  # last part of path: what the user is shown
    text: str
    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    date: str | None = None  # ISO 8601: YYYY-MM-DD, or YYYY-MM / YYYY where the text says no more
    pages: tuple[int, ...] = ()  # offset at which each page starts; empty where the format has no pages
    notes: tuple[str, ...] = ()  # what of the file is not in `text`; told when it is read, and not kept
    awaits_ocr: bool = False  # scanned pages were left out for want of a program that reads them


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of one document: `text == document.text[start:end]`."""

    id: str  # "<document_id>-<start>-<end>": stable for the same content and cut
    document_id: str
    text: str
    start: int
    end: int
    page: int | None = None  # counted from 1
    file: str = ""
    title: str | None = None
    publisher: str | None = None
    date: str | None = None
    section: str | None = None  # the headings that it stands under, "Products > Aurora"


def owner(chunk_id: str) -> str:
    """The id of a chunk's document."""
    return chunk_id.rsplit("-", 2)[0]


def headed(chunk: Chunk) -> str:
    """A chunk's text under its headings, as it is searched: a part of a long text seldom names what it is about."""
    return f"{chunk.section}\n{chunk.text}" if chunk.section else chunk.text


def heading(chunk: Chunk) -> str:
    """Where a chunk is from, as it stands above it in the prompt."""
    known = (chunk.title or chunk.file, chunk.section, chunk.publisher, chunk.date)
    return " ".join(", ".join(part for part in known if part).split())


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of some text, `text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk. `score` and `near` grow with relevance; their scales belong to the retriever."""

    chunk: Chunk
    score: float
    repeated: tuple[Span, ...] = ()  # where lines stand that many documents have: boilerplate
    near: tuple[float, ...] = ()  # how like the question each of its sentences is; () where nobody compared them


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact quote: `quote == document.text[start:end]`. `n` is the marker's number, counted from 1."""

    n: int
    document_id: str
    file: str
    title: str | None
    publisher: str | None
    date: str | None
    page: int | None
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    verdict: Verdict = "unchecked"
    citations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one answer went.

    `ttft_s` counts from the question's arrival to the first token, `shown_s` to the first text of the answer that
    stands (in strict mode a sentence that was checked); `check_s` is how long verdicts were waited for at the end.
    """

    retrieve_s: float = 0.0
    queue_s: float = 0.0
    prefill_s: float = 0.0
    ttft_s: float = 0.0
    shown_s: float = 0.0
    decode_tok_s: float = 0.0
    check_s: float = 0.0
    total_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole outcome of one question; `wire.answer_json` gives its fixed JSON form."""

    question: str
    answer: str
    abstained: bool
    reason: AbstainReason | None
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    timings: Timings
    model: str
    finish_reason: FinishReason
    dropped_turns: int = 0  # turns of the history that were left out or cut to fit the token budget, oldest first
    left_out: tuple[str, ...] = ()  # sentences the model wrote that no source supports: no part of `answer`


@dataclass(frozen=True, slots=True)
class Retrieved:
    """First event of a stream: the hits that go into the prompt, in prompt order."""

    hits: tuple[Hit, ...]
    dropped_turns: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """Answer text as it comes, markers included: all `text` joined equal `Answer.answer`."""

    text: str


@dataclass(frozen=True, slots=True)
class Pending:
    """What the model has written and nothing has checked yet: to be shown as such, and no part of the answer.

    Each replaces the one before it, and stands behind the answer's text so far; an empty one takes it away.
    """

    text: str


@dataclass(frozen=True, slots=True)
class SentenceChecked:
    """A sentence is complete. `citations` are those of the sentence, also where an earlier one used them."""

    sentence: Sentence
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event of every stream."""

    answer: Answer


Event = Retrieved | Pending | Token | SentenceChecked | Finished


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is. `total` is None while unknown; `unit` is "B" for bytes, else a plural noun."""

    step: str
    done: int
    total: int | None
    unit: str


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """What tells whether a known file needs work. `revision` names the pipeline that read and cut it."""

    sha256: str
    revision: str
    chunks: int


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A stored document without its text."""

    id: str
    path: str
    file: str
    title: str | None
    publisher: str | None
    author: str | None
    date: str | None
    characters: int
    chunks: int
    ingested_at: str  # ISO 8601, UTC
    near_copy_of: str | None = None  # file of an earlier document that says nearly the same, word for word


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    name: str
    documents: int
    chunks: int
    embedder: str


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. `detail` is the error's message where the outcome is "failed", else what of the file
    could not be read.
    """

    path: str
    outcome: Literal["added", "changed", "unchanged", "moved", "removed", "failed"]
    document_id: str | None = None
    chunks: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class IngestReport:
    collection: str
    files: tuple[FileOutcome, ...] = field(default=())
    stopped: bool = False  # True when the user stopped it; what was done until then is kept
    passed_over: dict[str, int] = field(default_factory=dict)  # files of kinds that are not read, by suffix
    read: int = 0  # documents that were read and stored
    embedded: int = 0  # chunks
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, and when to stop; None means the settings' default.

    At most one of `json_schema` and `grammar` (GBNF) gives the text its form. `timeout_s` counts from when the model
    is asked, and can only be shorter than the settings' own; what is written until then is kept.
    """

    temperature: float | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    grammar: str | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a prompt. `id` is a chunk's id where the block is a chunk, else empty."""

    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class PromptMessage:
    role: Role
    blocks: tuple[Block, ...]
