"""What the scheduler works on: answers to write, and chunks to read."""

from __future__ import annotations

import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate

from assistant.engine.backend import Row, Sampler
from assistant.engine.lookup import Lookup
from assistant.engine.types import Done, Finish, Params, Piece

Emit = Callable[[Piece | Done | Exception], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens whose cells are kept under `key`; without a key they are computed in place."""

    tokens: tuple[int, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt in tokens: the fixed head, chunks that are kept ready behind it, and the rest.

    Without chunks the head is empty and all is rest.
    """

    head: Part
    chunks: tuple[Part, ...]
    rest: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        return sum((part.tokens for part in self.chunks), self.head.tokens) + self.rest

    @property
    def kept(self) -> tuple[Part, ...]:
        """The parts that are loaded rather than computed, in order."""
        return (self.head, *self.chunks) if self.chunks else ()

    def boundary(self, known: int) -> int:
        """The end of the last kept part within `known` tokens, or `known` itself where it goes beyond them all."""
        ends = [0, *accumulate(len(part.tokens) for part in self.kept)]
        return known if known >= ends[-1] else max(end for end in ends if end <= known)


@dataclass(slots=True, eq=False)
class Request:
    """A prompt on its way through the engine. `emit` receives pieces, then exactly one Done or exception."""

    prompt: TokenPrompt
    params: Params
    emit: Emit
    cancel: threading.Event
    abandoned: bool = False  # nobody reads the events any more
    submitted: float = field(default_factory=time.monotonic)
    admitted: float = 0.0
    first_token: float = 0.0
    cached: int = 0
    tokens: tuple[int, ...] = ()  # the prompt's
    cells: dict[str, bytes] = field(default_factory=dict)  # of kept parts, held until they are loaded
    awaited: set[str] = field(default_factory=set)  # keys of kept parts that were not there when it came
    completion: list[int] = field(default_factory=list)
    guessed: int = 0
    guessed_right: int = 0
    lookup: Lookup | None = None
    sampler: Sampler | None = None
    text: TextOut | None = None
    ended: bool = False

    def __post_init__(self) -> None:
        self.tokens = self.prompt.tokens

    @property
    def unwanted(self) -> bool:
        late = self.params.timeout_s is not None and time.monotonic() > self.submitted + self.params.timeout_s
        return self.abandoned or late or self.cancel.is_set()

    @property
    def weighs(self) -> bool:
        """Whether it writes nothing and only compares words."""
        return self.params.weigh is not None

    @property
    def room(self) -> int:
        """Most cells the request can come to need."""
        return len(self.tokens) + self.params.max_tokens

    def work_begins(self) -> None:
        """Ends the time in the queue."""
        self.admitted = self.admitted or time.monotonic()

    def guess(self, most: int) -> tuple[int, ...]:
        """Tokens that may come next; none that could not be used any more."""
        left = self.params.max_tokens - len(self.completion) - 1
        wanted = min(most, left, most if self.params.guesses is None else self.params.guesses)
        return self.lookup.guess(wanted) if self.lookup and wanted > 0 else ()

    def add(self, token: int) -> None:
        """Takes the next token of the answer."""
        self.first_token = self.first_token or time.monotonic()
        self.completion.append(token)
        if self.lookup:
            self.lookup.add(token)

    def end(self, event: Done | Exception) -> None:
        """Hands on how it ended; once, also where something goes wrong after that."""
        if not self.ended:
            self.ended = True
            self.emit(event)

    def done(self, finish: Finish) -> Done:
        now = time.monotonic()
        admitted = self.admitted or now
        first = self.first_token or now
        produced = len(self.completion)
        return Done(
            finish=finish,
            prompt_tokens=len(self.tokens),
            cached_tokens=self.cached,
            completion_tokens=produced,
            queue_s=admitted - self.submitted,
            prefill_s=first - admitted,
            ttft_s=first - self.submitted,
            decode_tok_s=(produced - 1) / (now - first) if produced > 1 and now > first else 0.0,
            guessed_tokens=self.guessed,
            guessed_right=self.guessed_right,
            log_odds=self.sampler.log_odds if self.sampler else None,
        )


@dataclass(slots=True, eq=False)
class Reading:
    """A part to be computed behind its head and kept; `future` gets its cells. The head itself has an empty head."""

    head: Part
    part: Part
    background: bool
    cancel: threading.Event = field(default_factory=threading.Event)
    future: Future[bytes] = field(default_factory=Future)

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.head.tokens + self.part.tokens

    @property
    def unwanted(self) -> bool:
        return self.cancel.is_set()

    @property
    def room(self) -> int:
        return len(self.tokens)


@dataclass(slots=True, eq=False)
class Slot:
    """A sequence of the backend, and the tokens whose cells it holds."""

    sequence: int
    tokens: list[int] = field(default_factory=list)
    job: Request | Reading | None = None
    source: Source | None = None

    def lean_on(self, other: Slot, cells: int) -> None:
        """Notes that it shares the first cells of another slot, which has a job."""
        assert other.job is not None
        self.source = Source(other, other.job, cells)

    @property
    def request(self) -> Request | None:
        return self.job if isinstance(self.job, Request) else None

    @property
    def weighs(self) -> bool:
        return isinstance(self.job, Request) and self.job.weighs

    @property
    def reserved(self) -> int:
        """Most cells that its job can come to need, beside those it shares."""
        if self.job is None:
            return 0
        return self.job.room - (self.source.held if self.source else 0)

    @property
    def pending(self) -> tuple[int, ...]:
        """Tokens of the job that are not computed yet; one while decoding."""
        assert self.job is not None
        known = len(self.tokens)
        if known < len(self.job.tokens) or not isinstance(self.job, Request):
            return self.job.tokens[known:]
        return tuple(self.job.completion[known - len(self.job.tokens) :])

    def row(self, count: int) -> Row:
        """The next `count` pending tokens; those of a request with the logits of the last, if no more follow."""
        pending = self.pending
        last = count == len(pending) and self.request is not None
        return Row(self.sequence, len(self.tokens), pending[:count], logits=last)


@dataclass(frozen=True, slots=True)
class Source:
    """Cells that a slot shares with another: they are held once, as long as the other one's job runs."""

    slot: Slot
    job: Request | Reading
    cells: int

    @property
    def held(self) -> int:
        """How many of them the other slot answers for."""
        return self.cells if self.slot.job is self.job else 0


class TextOut:
    """Turns tokens into whole characters and holds back what may yet become a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._stop = stop
        self._held = ""

    def feed(self, raw: bytes, final: bool = False) -> tuple[str, bool]:
        """Text that can be shown, and whether a stop string was met."""
        self._held += self._decode(raw)  # at the end, half a character is dropped
        cut = min((at for word in self._stop if (at := self._held.find(word)) >= 0), default=-1)
        if cut >= 0:
            shown, self._held = self._held[:cut], ""
            return shown, True
        keep = 0 if final else self._open_prefix()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown, False

    def _open_prefix(self) -> int:
        """Length of the longest tail of the held text with which a stop string begins."""
        held = len(self._held)
        lengths = ((word, n) for word in self._stop for n in range(1, min(len(word), held + 1)))
        return max((n for word, n in lengths if self._held.endswith(word[:n])), default=0)
