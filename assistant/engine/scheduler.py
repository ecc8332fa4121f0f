"""Continuous batching: which tokens of which requests are computed next.

The worker thread is the only caller. Requests share each step (Orca, OSDI 2022): users who are decoding get one token
each, and what is left of the batch reads the prompts of those who wait for their first token.
"""

from __future__ import annotations

import threading
import time
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from assistant.engine.backend import Backend, Row, Sampler
from assistant.engine.types import Done, Finish, Params, Piece

Emit = Callable[[Piece | Done | Exception], None]


@dataclass(slots=True, eq=False)
class Request:
    """A prompt on its way through the engine. `emit` receives pieces, then exactly one Done or exception."""

    prompt: Sequence[int]
    params: Params
    emit: Emit
    cancel: threading.Event
    abandoned: bool = False  # nobody reads the events any more
    submitted: float = field(default_factory=time.monotonic)
    admitted: float = 0.0
    first_token: float = 0.0
    cached: int = 0
    completion: list[int] = field(default_factory=list)
    sampler: Sampler | None = None
    text: TextOut | None = None

    @property
    def unwanted(self) -> bool:
        return self.abandoned or self.cancel.is_set()

    @property
    def room(self) -> int:
        """Most cells the request can come to need."""
        return len(self.prompt) + self.params.max_tokens


@dataclass(slots=True, eq=False)
class Slot:
    """A sequence of the backend. `tokens` are those whose KV it holds; without a request they wait for reuse."""

    sequence: int
    tokens: list[int] = field(default_factory=list)
    request: Request | None = None
    used: float = 0.0

    @property
    def reserved(self) -> int:
        return self.request.room if self.request else len(self.tokens)

    @property
    def pending(self) -> Sequence[int]:
        """Tokens of the request that are not in the KV buffer yet; one while decoding."""
        assert self.request is not None
        known = len(self.tokens)
        prompt = self.request.prompt
        return prompt[known:] if known < len(prompt) else self.request.completion[known - len(prompt) :]


class TextOut:
    """Turns tokens into whole characters and holds back what may yet become a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._stop = tuple(word for word in stop if word)
        self._held = ""

    def feed(self, raw: bytes, final: bool = False) -> tuple[str, bool]:
        """Text that can be shown, and whether a stop string was met."""
        self._held += self._decode(raw, final)
        cut = min((at for word in self._stop if (at := self._held.find(word)) >= 0), default=-1)
        if cut >= 0:
            shown, self._held = self._held[:cut], ""
            return shown, True
        keep = 0 if final else self._open_prefix()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown, False

    def _open_prefix(self) -> int:
        """Length of the longest tail of the held text with which a stop string begins."""
        return max(
            (n for word in self._stop for n in range(1, len(word)) if self._held.endswith(word[:n])),
            default=0,
        )


class Scheduler:
    """Admits requests to slots and runs them, a step at a time."""

    def __init__(self, backend: Backend, active: int) -> None:
        self._backend = backend
        self._active = active
        self._slots = [Slot(sequence) for sequence in range(backend.sequences)]
        self.waiting: deque[Request] = deque()

    @property
    def running(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.request]

    @property
    def busy(self) -> bool:
        return bool(self.waiting) or any(slot.request for slot in self._slots)

    def step(self) -> bool:
        """Computes one batch. Returns False when there was nothing to do."""
        self._drop_cancelled()
        self._admit()
        rows = self._build_batch()
        if not rows:
            return False
        try:
            outputs = self._backend.decode([row for _, row in rows])
        except Exception as error:
            self._fail(error)
            raise
        for (slot, row), index in zip(rows, outputs, strict=True):
            slot.tokens.extend(row.tokens)
            if row.logits:
                self._deliver(slot, index)
        return True

    def fail_all(self, error: Exception) -> None:
        """Ends every request, waiting or running, with `error`."""
        while self.waiting:
            self.waiting.popleft().emit(error)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        for slot in self._slots:
            if slot.request:
                self._release(slot).emit(error)
            slot.tokens = []
        self._backend.clear()  # after a failed decode the state of its cells is unknown

    def _drop_cancelled(self) -> None:
        for request in [request for request in self.waiting if request.unwanted]:
            self.waiting.remove(request)
            request.emit(_done(request, "cancelled"))
        for slot in self.running:
            if slot.request and slot.request.unwanted:
                self._finish(slot, "cancelled")

    def _admit(self) -> None:
        """First come, first served; who does not fit yet waits, and so do those behind."""
        while self.waiting and len(self.running) < self._active:
            if not self._make_room(self.waiting[0].room):
                return
            request = self.waiting.popleft()
            slot = self._place(request)
            request.admitted = slot.used = time.monotonic()
            request.sampler = self._backend.sampler(request.params)
            request.text = TextOut(request.params.stop)

    def _place(self, request: Request) -> Slot:
        """A slot for the request, holding the longest prefix of its prompt that any slot knows."""
        best = max(self._slots, key=lambda slot: _shared(slot.tokens, request.prompt))
        # the last prompt token is always computed: its logits give the first token
        known = min(_shared(best.tokens, request.prompt), len(request.prompt) - 1)
        idle = [slot for slot in self._slots if slot.request is None]
        if best in idle and known == len(best.tokens):
            slot = best  # a conversation goes on: nothing is lost by going on in its place
        else:
            slot = min(idle, key=lambda slot: (len(slot.tokens) > 0, slot.used))
        if slot is best:
            self._backend.truncate(slot.sequence, known)
        else:
            self._backend.truncate(slot.sequence, 0)
            self._backend.copy(best.sequence, slot.sequence, known)
        slot.tokens = list(request.prompt[:known])
        slot.request, request.cached = request, known
        return slot

    def _make_room(self, cells: int) -> bool:
        """Forgets the least recently used idle slots until `cells` are free; False when running ones hold too many."""
        idle = deque(sorted((s for s in self._slots if not s.request and s.tokens), key=lambda s: s.used))
        while sum(slot.reserved for slot in self._slots) + cells > self._backend.cells:
            if not idle:
                return False
            slot = idle.popleft()
            self._backend.truncate(slot.sequence, 0)
            slot.tokens = []
        return True

    def _build_batch(self) -> list[tuple[Slot, Row]]:
        """One token for each user who is decoding, then prompt tokens, shared evenly among those who wait."""
        running = self.running
        decoding = [slot for slot in running if slot.request and slot.request.completion]
        reading = sorted((s for s in running if s not in decoding), key=lambda s: len(s.pending))
        budget = self._backend.batch - len(decoding)
        if decoding:  # a long prompt must not hold up those who are reading their answer
            budget = min(budget, max(self._backend.batch // 4, 1))
        rows = [(slot, _row(slot, 1)) for slot in decoding]
        for waiting, slot in zip(range(len(reading), 0, -1), reading, strict=True):
            share = min(-(-budget // waiting), len(slot.pending))
            if share:
                rows.append((slot, _row(slot, share)))
                budget -= share
        return rows

    def _deliver(self, slot: Slot, index: int) -> None:
        """Samples the next token of a slot and hands its text on."""
        request = slot.request
        assert request is not None
        assert request.sampler is not None
        assert request.text is not None
        token = request.sampler.sample(index)
        request.first_token = request.first_token or time.monotonic()
        request.completion.append(token)
        if self._backend.ends(token):
            return self._finish(slot, "stop")
        text, stopped = request.text.feed(self._backend.piece(token))
        if text:
            request.emit(Piece(text))
        if stopped:
            self._finish(slot, "stop", flush=False)
        elif len(request.completion) >= request.params.max_tokens:
            self._finish(slot, "length")
        return None

    def _finish(self, slot: Slot, finish: Finish, flush: bool = True) -> None:
        request = self._release(slot)
        if flush and request.text:
            text, _ = request.text.feed(b"", final=True)
            if text:
                request.emit(Piece(text))
        request.emit(_done(request, finish))

    def _release(self, slot: Slot) -> Request:
        """Takes the request from its slot; the KV of its tokens stays for the next one."""
        assert slot.request is not None
        request, slot.request, slot.used = slot.request, None, time.monotonic()
        if request.sampler:
            request.sampler.close()
        return request


def _shared(known: Sequence[int], prompt: Sequence[int]) -> int:
    """Length of the longest prefix that both have."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(known, prompt, strict=False)))


def _row(slot: Slot, count: int) -> Row:
    pending = slot.pending
    return Row(slot.sequence, len(slot.tokens), pending[:count], logits=count == len(pending))


def _done(request: Request, finish: Finish) -> Done:
    now = time.monotonic()
    admitted = request.admitted or now
    first = request.first_token or now
    produced = len(request.completion)
    return Done(
        finish=finish,
        prompt_tokens=len(request.prompt),
        cached_tokens=request.cached,
        completion_tokens=produced,
        queue_s=admitted - request.submitted,
        prefill_s=first - admitted,
        ttft_s=first - request.submitted,
        decode_tok_s=(produced - 1) / (now - first) if produced > 1 and now > first else 0.0,
    )
