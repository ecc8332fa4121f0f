"""The engine: one worker thread that owns the model, and a bounded queue in front of it."""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from assistant.engine.backend import Backend, LlamaBackend
from assistant.engine.requests import Emit, Part, Reading, Request, TokenPrompt
from assistant.engine.scheduler import Scheduler
from assistant.engine.store import KVStore, PrefixCache, key
from assistant.engine.template import ChatTemplate, Turn
from assistant.engine.types import (
    MAX_STOP_CHARS,
    MAX_STOPS,
    Done,
    EngineConfig,
    Params,
    Piece,
    Segment,
    Totals,
)
from assistant.errors import BadInput, Busy, EngineFailed, ModelDamaged, QuestionTooLong

log = logging.getLogger(__name__)

_MIN_ANSWER = 16  # tokens of room below which an answer is not worth starting
_LOOK_S = 0.05  # between two steps while jobs wait and nothing can be computed


class Engine:
    """Generates text for any number of callers. Thread safe; close it when done.

    `generate` raises Busy when the queue is full, QuestionTooLong when a prompt can never fit, BadFormat for a grammar
    that cannot be used, BadInput for parameters out of range, EngineFailed when the engine is closed or a step failed.
    A failed step ends the requests in it, and the engine goes on; a mistake in taking and admitting them closes it.
    """

    def __init__(self, backend: Backend, template: ChatTemplate, config: EngineConfig, bos: int | None = None) -> None:
        if not backend.cuts:  # a state space model keeps no cells that could be cut off, moved or joined
            config = replace(config, draft_tokens=0, prefix_memory_bytes=0)
        if not backend.moves:
            config = replace(config, reuse="exact")
        self._backend = backend
        self._template = template
        self._config = config
        self._bos = bos
        self._identity = f"{config.model_id} {backend.identity}"
        self.store = KVStore(config.store, config.store_memory_bytes, config.store_disk_bytes)
        prefixes = PrefixCache(config.prefix_memory_bytes)
        self._scheduler = Scheduler(backend, config.max_sequences, self.store, prefixes, config.draft_tokens)
        self._lock = threading.Condition()
        self._vocabulary = threading.Lock()  # held while it is read, so that it is not freed meanwhile
        self._inbox: list[Request | Reading] = []  # hands requests to the worker, who alone touches the scheduler
        self._closed = self._freed = False
        self.totals = Totals()  # written by the worker alone
        self.busy = 0  # requests refused
        self._worker = threading.Thread(target=self._run, name="engine", daemon=True)
        self._worker.start()
        atexit.register(self.close)  # a worker that is still computing when Python ends would crash it

    @classmethod
    def open(cls, model: Path, config: EngineConfig) -> Engine:
        """Loads a GGUF model. Raises ModelDamaged or EngineFailed."""
        # In a thread: Ctrl-C cannot interrupt llama.cpp, and inside its log callback would get lost.
        with ThreadPoolExecutor(1) as loader:
            backend = loader.submit(LlamaBackend, model, config).result()
        try:
            template = ChatTemplate(backend.chat_template)
        except ModelDamaged:
            backend.close()
            raise
        return cls(backend, template, config, backend.bos if backend.add_bos else None)

    @property
    def context_tokens(self) -> int:
        """Tokens that one prompt and its answer can have together."""
        return min(self._backend.cells, self._backend.trained_context)

    def count(self, text: str) -> int:
        """Tokens of a plain text."""
        return len(self._tokens(text, special=False))

    def tokenize(self, turns: Sequence[Turn]) -> TokenPrompt:
        """The conversation as the model reads it, up to where its answer begins."""
        segments = self._template.render(turns)
        parts = [self._tokens(segment.text, segment.special) for segment in segments]
        if self._bos is not None:
            parts[0] = (self._bos, *parts[0])
        first, end = self._kept(segments)
        head = sum(parts[:first], ())
        chunks = tuple(Part(part, key(self._identity, head, part)) for part in parts[first:end])
        head_part = Part(head, key(self._identity, (), head)) if chunks else Part(())
        return TokenPrompt(head_part, chunks, sum(parts[end:], ()))

    def _tokens(self, text: str, special: bool) -> tuple[int, ...]:
        with self._vocabulary:
            if self._closed:
                raise EngineFailed("The engine is closed.", "Start the assistant again.")
            return tuple(self._backend.tokenize(text, special))

    def _check_grammar(self, grammar: str) -> None:
        with self._vocabulary:
            if self._closed:
                raise EngineFailed("The engine is closed.", "Start the assistant again.")
            self._backend.check_grammar(grammar)

    def _check_words(self, groups: Sequence[Sequence[str]]) -> None:
        with self._vocabulary:
            if self._closed:
                raise EngineFailed("The engine is closed.", "Start the assistant again.")
            for words in groups:
                if not self._backend.single(words):
                    raise BadInput(f"None of {', '.join(words)} is one token of this model.", "Weigh other words.")

    def _kept(self, segments: Sequence[Segment]) -> tuple[int, int]:
        """Where the segments begin and end whose cells are kept: the first run of those with an id."""
        ids = [bool(segment.id) for segment in segments]
        if self._config.reuse == "exact" or True not in ids:
            return 0, 0
        first = ids.index(True)
        return first, first + [*ids[first:], False].index(False)

    def read(self, turns: Sequence[Turn], cancel: threading.Event) -> int:
        """Reads the segments with an id ahead of any question, and keeps their cells. Answers go first.

        Returns how many tokens had to be computed: 0 when all were kept already, or when nothing is.
        Raises QuestionTooLong when a segment can never fit, EngineFailed. At `cancel` it returns within a step.
        """
        prompt = self.tokenize(turns)
        longest = len(prompt.head.tokens) + max((len(chunk.tokens) for chunk in prompt.chunks), default=0)
        if longest > self.context_tokens:
            raise self._too_long(f"A part of the prompt has {longest} tokens", "Read a shorter one")
        computed = 0
        for part in prompt.kept:
            if cancel.is_set() or self.store.has(part.key):
                continue
            head = Part(()) if part is prompt.head else prompt.head
            reading = Reading(head, part, background=True, cancel=cancel)
            self._submit(reading)
            try:
                reading.future.result()
            except CancelledError:
                break
            computed += len(part.tokens)
        return computed

    def generate(self, turns: Sequence[Turn], params: Params, cancel: threading.Event | None = None) -> Generation:
        """Queues a request; iterating gives pieces of the answer as they come, then Done.

        Setting `cancel` stops it within a step, also while the prompt is being read.
        """
        _check(params)
        if params.grammar:
            self._check_grammar(params.grammar)
        if params.weigh:
            self._check_words(params.weigh)
            params = replace(params, max_tokens=1, guesses=0)
        prompt = self.tokenize(turns)
        room = self.context_tokens - len(prompt.tokens)
        if room < _MIN_ANSWER:
            raise self._too_long(f"The prompt has {len(prompt.tokens)} tokens", "Ask a shorter question")
        params = replace(params, max_tokens=min(params.max_tokens, room))
        count = partial(self._count, weighs=params.weigh is not None)
        generation = Generation(prompt, params, cancel or threading.Event(), count)
        self._submit(generation.request)
        return generation

    def weigh(
        self, turns: Sequence[Turn], words: tuple[tuple[str, ...], tuple[str, ...]], cancel: threading.Event
    ) -> Weighing:
        """Begins to ask whether an answer to `turns` would begin with the first words or the second; returns at once.

        It goes before requests that wait, and shares the cells of a prompt that begins in the same way. Raises
        BadInput where none of some words is one token, QuestionTooLong, EngineFailed.
        """
        return Weighing(self.generate(turns, Params(weigh=words), cancel))

    def _too_long(self, what: str, hint: str) -> QuestionTooLong:
        return QuestionTooLong(
            f"{what}; the context holds {self.context_tokens}.", f"{hint}, or raise engine.context_tokens."
        )

    def check_busy(self) -> None:
        """Raises Busy when no more requests are taken at present."""
        with self._lock:
            self._check_busy()

    def stats(self) -> dict[str, float]:
        """Totals since the engine opened, by name, and whether it is `alive`: 1, or 0 where it takes no requests."""
        totals = asdict(self.totals) | {"busy": self.busy}
        return {f"{name}_total": count for name, count in totals.items()} | {"alive": float(not self._closed)}

    def depth(self) -> tuple[int, int]:
        """Requests that wait, and requests that run."""
        with self._lock:
            return self._queued(), len(self._scheduler.running)

    def close(self) -> None:
        """Ends running requests with EngineFailed and frees the model. Safe to call twice."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._worker.join()
        with self._vocabulary:
            if not self._freed:
                self._backend.close()
            self._freed = True
        atexit.unregister(self.close)

    def _submit(self, job: Request | Reading) -> None:
        with self._lock:
            if self._closed:
                raise EngineFailed("The engine is closed.", "Start the assistant again.")
            if isinstance(job, Request) and not job.weighs:  # that belongs to an answer that was taken already
                self._check_busy()
            self._inbox.append(job)
            self._lock.notify()

    def _queued(self) -> int:
        """Requests for answers that wait. What weighs words belongs to one that runs."""
        jobs = (*self._inbox, *self._scheduler.waiting)
        return sum(isinstance(job, Request) and not job.weighs for job in jobs)

    def _check_busy(self) -> None:
        if self._queued() >= self._config.queue:
            self.busy += 1
            raise Busy(
                f"{self._config.queue} requests are waiting already.",
                f"Try again in {Busy.retry_after_s} s, or raise engine.queue.",
            )

    def _count(self, event: Piece | Done | Exception, weighs: bool = False) -> None:
        """Adds the end of a request to the totals."""
        if isinstance(event, Piece):
            return
        more: dict[str, float] = {"failed": 1}
        if weighs:
            more = {"weighed": 1}
        elif isinstance(event, Done):
            more = {
                "requests": 1,
                "cancelled": int(event.finish == "cancelled"),
                "prompt_tokens": event.prompt_tokens,
                "cached_tokens": event.cached_tokens,
                "completion_tokens": event.completion_tokens,
                "guessed_tokens": event.guessed_tokens,
                "guessed_right": event.guessed_right,
                "queue_s": event.queue_s,
                "prefill_s": event.prefill_s,
                "decode_s": (event.completion_tokens - 1) / event.decode_tok_s if event.decode_tok_s else 0.0,
            }
        self.totals = replace(self.totals, **{key: getattr(self.totals, key) + n for key, n in more.items()})

    def _run(self) -> None:
        computed = True
        while True:
            with self._lock:
                if not computed:  # who waits may be cancelled, which nobody tells: the next step sees it
                    self._lock.wait_for(lambda: self._closed or self._inbox, _LOOK_S)
                self._lock.wait_for(lambda: self._closed or self._inbox or self._scheduler.busy)
                self._scheduler.waiting.extend(job for job in self._inbox if isinstance(job, Request))
                self._scheduler.readings.extend(job for job in self._inbox if isinstance(job, Reading))
                self._inbox.clear()
                if self._closed:
                    break
            try:
                computed = self._scheduler.step()
            except Exception as error:  # a mistake of ours outside what was computed: nothing is known of any state
                log.exception("The engine failed.")
                self._end(error)
                return
        self._end(EngineFailed("The engine was closed.", "Start the assistant again."))

    def _end(self, error: Exception) -> None:
        """Takes no more jobs, and ends those that are here."""
        with self._lock:
            self._closed = True
            self._scheduler.waiting.extend(job for job in self._inbox if isinstance(job, Request))
            self._scheduler.readings.extend(job for job in self._inbox if isinstance(job, Reading))
            self._inbox.clear()
        self._scheduler.fail_all(error)


class Generation:
    """One request's events: iterate for pieces, then Done. Abandoning it part-way stops the work."""

    def __init__(self, prompt: TokenPrompt, params: Params, cancel: threading.Event, count: Emit) -> None:
        events: queue.SimpleQueue[Piece | Done | Exception] = queue.SimpleQueue()

        def emit(event: Piece | Done | Exception) -> None:
            count(event)  # here and not where it is read: an abandoned answer counts too
            events.put(event)

        self._events = events
        self._ended = False
        self.request = Request(prompt, params, emit, cancel)

    def __iter__(self) -> Generation:
        return self

    def __next__(self) -> Piece | Done:
        if self._ended:
            raise StopIteration
        event = self._events.get()
        self._ended = not isinstance(event, Piece)
        if isinstance(event, Exception):
            raise EngineFailed(f"Generation failed: {event}", "Ask again; if it goes on, restart.") from event
        return event

    @property
    def waits(self) -> bool:
        """Whether there is an event to read."""
        return not self._events.empty()

    def close(self) -> None:
        """Stops the request if it still runs."""
        self.request.abandoned = True

    def __del__(self) -> None:
        self.close()


class Weighing:
    """A question to the model whose answer is a number: the log odds of some words over others, as the next one."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    @property
    def done(self) -> bool:
        """Whether `result` would not wait."""
        return self._generation.waits

    def result(self) -> float | None:
        """The log odds; None where it was cancelled. Waits for them. Raises EngineFailed."""
        done = next(event for event in self._generation if isinstance(event, Done))
        return done.log_odds

    def close(self) -> None:
        """Stops it."""
        self._generation.close()


def _check(params: Params) -> None:
    """Raises BadInput for values that no sampler has a meaning for."""
    wrong = {
        "max_tokens": params.max_tokens < 1,
        "temperature": not 0 <= params.temperature <= 100,
        "top_p": not 0 <= params.top_p <= 1,
        "min_p": not 0 <= params.min_p <= 1,
        "seed": not 0 <= params.seed < 2**32 - 1,  # the last one means "any" to llama.cpp
    }
    if len(params.stop) > MAX_STOPS or not all(0 < len(word) <= MAX_STOP_CHARS for word in params.stop):
        raise BadInput(
            "A stop is empty or too long, or there are too many.",
            f"Give at most {MAX_STOPS}, each of 1 to {MAX_STOP_CHARS} characters.",
        )
    for name in (name for name, bad in wrong.items() if bad):
        raise BadInput(f"{name} = {getattr(params, name)} is out of range.", "See /docs for the ranges.")
