"""The scheduler over a backend that computes nothing: who runs, who waits, and that nothing is lost or mixed up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

import pytest
from conftest import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine import Engine
from assistant.engine.backend import Row
from assistant.engine.requests import Part, Reading, Request, TextOut, TokenPrompt
from assistant.engine.scheduler import Scheduler
from assistant.engine.store import KVStore, PrefixCache
from assistant.engine.template import ChatTemplate, Turn
from assistant.engine.types import Done, EngineConfig, Params, Piece, Segment
from assistant.errors import BadInput, EngineFailed, QuestionTooLong

END = 0


class FakeSampler:
    log_odds = hidden = None

    def __init__(self, backend: FakeBackend) -> None:
        self._backend = backend
        self.closed = False
        self.broken = False

    def sample(self, index: int) -> int:
        if self.broken:
            raise ZeroDivisionError
        return self._backend.next_tokens[index]

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class FakeBackend:
    """Remembers which tokens each sequence holds, and answers with a function of them, as a true model does.

    Sequences can share cells, which are then held once: `numbers` tells them apart.
    """

    def __init__(self, cells: int = 64, sequences: int = 4, batch: int = 8) -> None:
        self.cells, self.sequences, self.batch = cells, sequences, batch
        self.identity, self.cuts, self.moves = "fake", True, True
        self.held: list[list[int]] = [[] for _ in range(sequences)]
        self.numbers: list[list[int]] = [[] for _ in range(sequences)]
        self.made = 0  # cells, so far
        self.next_tokens: dict[int, int] = {}
        self.samplers: list[FakeSampler] = []
        self.fail_next = False
        self.fail_samplers = False
        self.decoded = 0

    def piece(self, token: int) -> bytes:
        return f"{token} ".encode()

    def ends(self, token: int) -> bool:
        return token == END

    def decode(self, rows: Sequence[Row]) -> list[int]:
        if self.fail_next:
            self.fail_next = False
            raise RuntimeError("no luck")
        assert 0 < sum(len(row.tokens) for row in rows) <= self.batch
        self.next_tokens, at = {}, -1
        indices = []
        for row in rows:
            held = self.held[row.sequence]
            assert len(held) == row.start, "positions of a sequence are consecutive"
            assert row.guesses < len(row.tokens)
            for left, token in zip(range(len(row.tokens) - 1, -1, -1), row.tokens, strict=True):
                held.append(token)
                self._made(row.sequence, 1)
                at += 1
                if row.logits and left <= row.guesses:
                    self.next_tokens[at] = follow(held)
            self.decoded += len(row.tokens)
            indices.append(at)
        return indices

    def _made(self, sequence: int, count: int) -> None:
        self.numbers[sequence] += range(self.made, self.made + count)
        self.made += count
        if self.used > self.cells:
            pytest.fail("more cells are held than there are")  # no Exception: the scheduler cannot make light of it

    @property
    def used(self) -> int:
        """Cells that are held, each counted once."""
        return len({number for numbers in self.numbers for number in numbers})

    def single(self, words: Sequence[str]) -> list[int]:
        return [len(word) for word in words]

    def sampler(self, params: Params) -> FakeSampler:
        if self.fail_samplers:
            raise ZeroDivisionError
        self.samplers.append(FakeSampler(self))
        return self.samplers[-1]

    def check_grammar(self, grammar: str) -> None: ...

    def save(self, sequence: int, start: int, end: int) -> bytes:
        assert end <= len(self.held[sequence])
        return bytes(self.held[sequence][start:end])

    def load(self, sequence: int, data: bytes) -> bool:
        self.held[sequence] = list(data)
        self.numbers[sequence] = []
        self._made(sequence, len(data))
        return True

    def join(self, sequence: int, data: bytes, start: int, at: int, count: int) -> bool:
        assert len(self.held[sequence]) == at
        assert len(data) == count
        self.held[sequence] += list(data)
        self._made(sequence, count)
        return True

    def share(self, source: int, sequence: int, length: int) -> None:
        assert not self.held[sequence]
        assert self.cuts, "a running state is shared as a whole"
        self.held[sequence], self.numbers[sequence] = self.held[source][:length], self.numbers[source][:length]

    def truncate(self, sequence: int, length: int) -> None:
        del self.held[sequence][length:]
        del self.numbers[sequence][length:]

    def clear(self) -> None:
        self.held = [[] for _ in range(self.sequences)]
        self.numbers = [[] for _ in range(self.sequences)]

    def tokenize(self, text: str, special: bool) -> list[int]:
        return [ord(c) for c in text]

    def close(self) -> None: ...


def follow(held: Sequence[int]) -> int:
    """The next token: depends on all before it; ends about one time in eight, and often repeats what came before."""
    value = hash(tuple(held)) % 97
    if value % 8 == 0:
        return END
    return held[value % len(held)] if value % 2 else value


def expected(prompt: Sequence[int], most: int) -> tuple[str, str]:
    """Text and finish of a request that runs alone."""
    held, out = list(prompt), []
    while True:
        token = follow(held)
        if token == END:
            return "".join(f"{t} " for t in out), "stop"
        out.append(token)
        held.append(token)
        if len(out) == most:
            return "".join(f"{t} " for t in out), "length"


def plain(prompt: Sequence[int]) -> TokenPrompt:
    return TokenPrompt(Part(()), (), tuple(prompt))


def chunked(chunks: Sequence[Sequence[int]], rest: Sequence[int]) -> TokenPrompt:
    head = Part((7, 7), "head")
    return TokenPrompt(head, tuple(Part(tuple(chunk), f"chunk {list(chunk)}") for chunk in chunks), tuple(rest))


def scheduler_of(
    backend: FakeBackend, active: int, memory: int = 10_000, prefixes: int = 10_000, drafts: int = 0
) -> Scheduler:
    return Scheduler(backend, active, KVStore(None, memory, 0), PrefixCache(prefixes), drafts)


class Client:
    def __init__(self, prompt: Sequence[int] | TokenPrompt, most: int, weighs: bool = False) -> None:
        self.events: list[Piece | Done | Exception] = []
        self.cancel = threading.Event()
        tokens = prompt if isinstance(prompt, TokenPrompt) else plain(prompt)
        params = Params(max_tokens=most, weigh=(("yes",), ("no",)) if weighs else None)
        self.request = Request(tokens, params, self.events.append, self.cancel)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Piece))

    @property
    def end(self) -> Done | Exception:
        *pieces, last = self.events
        assert all(isinstance(event, Piece) for event in pieces), "one end, and it comes last"
        assert not isinstance(last, Piece)
        return last


def drain(scheduler: Scheduler, limit: int = 2_000) -> None:
    for _ in range(limit):
        if not scheduler.step() and not scheduler.busy:
            return
    raise AssertionError("the scheduler does not come to an end")


prompts = st.lists(st.integers(1, 3), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(prompts, st.integers(1, 12), st.integers(0, 30)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(4, 16),
    st.integers(0, 5),
)
def test_every_request_ends_once_with_the_text_it_would_have_alone(
    jobs: list[tuple[list[int], int, int]], active: int, batch: int, drafts: int
) -> None:
    backend = FakeBackend(sequences=active + 2, batch=batch)
    scheduler = scheduler_of(backend, active, drafts=drafts)
    clients = [Client(prompt, most) for prompt, most, _ in jobs]
    for step in range(31):
        scheduler.waiting.extend(c.request for c, (_, _, at) in zip(clients, jobs, strict=True) if at == step)
        scheduler.step()
        assert len(scheduler.running) <= active
    drain(scheduler)
    for client, (prompt, most, _) in zip(clients, jobs, strict=True):
        assert isinstance(client.end, Done)
        assert (client.text, client.end.finish) == expected(prompt, most)
        assert client.end.prompt_tokens == len(prompt)
        assert client.end.cached_tokens < len(prompt)
        assert 0 <= client.end.guessed_right <= client.end.guessed_tokens
    assert all(sampler.closed for sampler in backend.samplers)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(prompts, st.integers(0, 12)), min_size=1, max_size=8))
def test_a_cancelled_request_ends_within_a_step_and_harms_no_other(jobs: list[tuple[list[int], int]]) -> None:
    backend = FakeBackend(batch=6)
    scheduler = scheduler_of(backend, active=2)
    clients = [Client(prompt, 10) for prompt, _ in jobs]
    scheduler.waiting.extend(client.request for client in clients)
    for step in range(13):
        for client, (_, at) in zip(clients, jobs, strict=True):
            if at == step:
                client.cancel.set()
        scheduler.step()
        for client, (_, at) in zip(clients, jobs, strict=True):
            if at <= step:
                assert isinstance(client.end, Done)
    assert not scheduler.busy
    for client, (prompt, _) in zip(clients, jobs, strict=True):
        assert expected(prompt, 10)[0].startswith(client.text)


def test_who_does_not_fit_waits() -> None:
    scheduler = scheduler_of(FakeBackend(cells=20, batch=8), active=4)
    first, second = Client([1] * 10, 5), Client([2] * 10, 5)
    scheduler.waiting.extend([first.request, second.request])
    scheduler.step()
    assert len(scheduler.running) == 1
    drain(scheduler)
    assert second.text == expected([2] * 10, 5)[0]


def test_a_long_prompt_does_not_hold_up_one_who_is_reading_his_answer() -> None:
    backend = FakeBackend(cells=400, batch=8)
    scheduler = scheduler_of(backend, active=2)
    prompt = next([n] for n in range(1, 1000) if expected([n], 12)[1] == "length")
    talking, long = Client(prompt, 12), Client([3] * 200, 1)
    scheduler.waiting.append(talking.request)
    scheduler.step()
    scheduler.waiting.append(long.request)
    for _ in range(5):
        before = len(talking.events)
        scheduler.step()
        assert len(talking.events) > before
    assert not long.events


def test_a_known_prefix_is_not_computed_again() -> None:
    backend = FakeBackend(cells=200, batch=50)
    scheduler = scheduler_of(backend, active=1)
    prompt = [1, 2, 3] * 6
    for tail in ([1], [2], [1, 1]):  # the third begins with the first
        client = Client([*prompt, *tail], 1)
        scheduler.waiting.append(client.request)
        drain(scheduler)
        assert client.text == expected([*prompt, *tail], 1)[0]
    assert isinstance(client.end, Done)
    assert client.end.cached_tokens == len(prompt) + 1  # the last token is always computed


def test_an_exception_in_a_step_fails_those_in_it_and_the_next_request_runs() -> None:
    backend = FakeBackend()
    scheduler = scheduler_of(backend, active=2)
    unlucky = Client([1, 2], 3)
    scheduler.waiting.append(unlucky.request)
    backend.fail_next = True
    lucky = Client([1, 2], 3)
    scheduler.step()
    scheduler.waiting.append(lucky.request)
    drain(scheduler)
    assert isinstance(unlucky.end, RuntimeError)
    assert lucky.text == expected([1, 2], 3)[0]


@pytest.fixture
def side_by_side() -> tuple[FakeBackend, Scheduler, list[Client]]:
    """Three answers on their way."""
    backend = FakeBackend(cells=200, sequences=5, batch=32)
    scheduler = scheduler_of(backend, active=3)
    starts = [n for n in range(1, 1000) if expected([n], 12)[1] == "length"]
    clients = [Client([start], 12) for start in starts[:3]]
    scheduler.waiting.extend(client.request for client in clients)
    scheduler.step()
    return backend, scheduler, clients


def test_where_one_sampler_fails_only_its_request_does(side_by_side) -> None:
    backend, scheduler, clients = side_by_side
    backend.samplers[1].broken = True
    drain(scheduler)
    assert isinstance(clients[1].end, ZeroDivisionError)
    for client in (clients[0], clients[2]):
        assert client.text == expected(client.request.tokens, 12)[0]
    assert not any(backend.held)
    assert all(sampler.closed for sampler in backend.samplers)


def test_a_request_that_cannot_be_begun_harms_no_other(side_by_side) -> None:
    backend, scheduler, clients = side_by_side
    clients[0].cancel.set()
    unlucky = Client([1, 2], 3)
    scheduler.waiting.append(unlucky.request)
    backend.fail_samplers = True
    scheduler.step()
    assert isinstance(unlucky.end, ZeroDivisionError)
    drain(scheduler)
    for client in clients[1:]:
        assert client.text == expected(client.request.tokens, 12)[0]
    assert not any(backend.held)


def test_cells_that_cannot_be_saved_end_nothing_twice(side_by_side, monkeypatch) -> None:
    backend, scheduler, clients = side_by_side

    def full(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(backend, "save", full)
    waiting = Client(chunked([[1, 2]], [3]), 1)
    scheduler.waiting.append(waiting.request)
    drain(scheduler)
    for client in clients:
        assert client.text == expected(client.request.tokens, 12)[0]
        assert isinstance(client.end, Done)
    assert isinstance(waiting.end, MemoryError)
    assert not any(backend.held)


def test_guesses_that_are_right_save_steps() -> None:
    class Parrot(FakeBackend):
        def decode(self, rows: Sequence[Row]) -> list[int]:
            indices = super().decode(rows)
            self.next_tokens = {at: 1 + (token + 1) % 5 for at, token in self.next_tokens.items()}
            for row, last in zip(rows, indices, strict=True):
                for back in range(row.guesses + 1):
                    self.next_tokens[last - back] = 1 + row.tokens[-1 - back] % 5
            return indices

    backend = Parrot()
    scheduler = scheduler_of(backend, active=1, drafts=3)
    client = Client([1, 2, 3, 4, 5, 1, 2, 3], 12)
    scheduler.waiting.append(client.request)
    steps = 0
    while scheduler.step():
        steps += 1
    assert client.text == "4 5 1 2 3 4 5 1 2 3 4 5 "
    assert steps == 4  # the prompt, and then four tokens a step; the last of them is the limit
    assert isinstance(client.end, Done)
    assert client.end.guessed_tokens == client.end.guessed_right == 8


chunks = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), max_size=4)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(chunks, prompts, st.integers(1, 8), st.integers(0, 20)), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 60),
    st.lists(st.tuples(chunks, st.integers(0, 20)), max_size=4),
)
def test_chunks_are_joined_in_order_whatever_is_kept_or_read_ahead(
    jobs: list[tuple[list[list[int]], list[int], int, int]],
    active: int,
    memory: int,
    ahead: list[tuple[list[list[int]], int]],
) -> None:
    backend = FakeBackend(cells=80, sequences=active + 2, batch=8)
    scheduler = scheduler_of(backend, active, memory=memory, prefixes=memory)
    clients = [Client(chunked(parts, rest) if parts else plain(rest), most) for parts, rest, most, _ in jobs]
    for step in range(21):
        scheduler.waiting.extend(c.request for c, (*_, at) in zip(clients, jobs, strict=True) if at == step)
        for parts, at in ahead:
            if at == step and parts:
                prompt = chunked(parts, [1])
                scheduler.readings.append(Reading(Part(()), prompt.head, background=True))
                scheduler.readings.extend(Reading(prompt.head, part, background=True) for part in prompt.chunks)
        scheduler.step()
    drain(scheduler)
    for client, (_, _, most, _) in zip(clients, jobs, strict=True):
        assert isinstance(client.end, Done)
        assert (client.text, client.end.finish) == expected(client.request.tokens, most)
    assert not any(backend.held)
    assert all(sampler.closed for sampler in backend.samplers)


def test_what_was_read_ahead_is_not_computed_again() -> None:
    backend = FakeBackend(cells=200, batch=50)
    scheduler = scheduler_of(backend, active=1)
    prompt = chunked([[1] * 20, [2] * 20], [3])
    readings = [Reading(Part(()), prompt.head, True), *(Reading(prompt.head, part, True) for part in prompt.chunks)]
    scheduler.readings.extend(readings)
    drain(scheduler)
    assert all(reading.future.done() for reading in readings)
    before = backend.decoded
    client = Client(prompt, 1)
    scheduler.waiting.append(client.request)
    drain(scheduler)
    assert backend.decoded - before == 1
    assert isinstance(client.end, Done)
    assert client.end.cached_tokens == 42


def test_what_is_read_for_a_request_does_not_count_as_cached() -> None:
    scheduler = scheduler_of(FakeBackend(cells=200, batch=50), active=1, prefixes=0)
    prompt = chunked([[1] * 20, [2] * 20], [3])
    cached = []
    for _ in range(2):
        client = Client(prompt, 1)
        scheduler.waiting.append(client.request)
        drain(scheduler)
        assert isinstance(client.end, Done)
        cached.append(client.end.cached_tokens)
    assert cached == [0, 42]


def test_reading_ahead_pauses_while_somebody_waits_and_makes_room_for_him() -> None:
    backend = FakeBackend(cells=60, batch=4)
    scheduler = scheduler_of(backend, active=1)
    reading = Reading(Part(()), Part((5,) * 40, "late"), background=True)
    scheduler.readings.append(reading)
    scheduler.step()
    client = Client([1] * 20, 5)
    scheduler.waiting.append(client.request)
    while not client.events or isinstance(client.events[-1], Piece):
        scheduler.step()
        assert not reading.future.done()
    drain(scheduler)
    assert reading.future.result() == bytes([5] * 40)


def test_a_failed_step_ends_those_who_wait_for_what_was_read_in_it() -> None:
    backend = FakeBackend()
    scheduler = scheduler_of(backend, active=1)
    client = Client(chunked([[1, 2]], [3]), 1)
    scheduler.waiting.append(client.request)
    backend.fail_next = True
    scheduler.step()
    assert isinstance(client.end, RuntimeError)
    assert not scheduler.busy


def until_done(scheduler: Scheduler, client: Client) -> None:
    for _ in range(500):
        if client.events and not isinstance(client.events[-1], Piece):
            return
        scheduler.step()
    raise AssertionError("the request does not come to an end")


def test_what_was_read_for_one_who_left_goes_on_as_reading_ahead() -> None:
    backend = FakeBackend(cells=400, sequences=4, batch=8)
    scheduler = scheduler_of(backend, active=1)
    leaves = Client(chunked([[5] * 40, [6] * 40], [3]), 4)
    scheduler.waiting.append(leaves.request)
    scheduler.step()  # the head
    scheduler.step()
    leaves.cancel.set()
    stays = Client([1] * 20, 8)
    scheduler.waiting.append(stays.request)
    before = backend.decoded
    until_done(scheduler, stays)
    assert isinstance(leaves.end, Done)
    assert backend.decoded - before <= 20 + 8  # nothing but the prompt and the answer of who stays
    drain(scheduler)
    before = backend.decoded
    again = Client(chunked([[5] * 40, [6] * 40], [3]), 1)
    scheduler.waiting.append(again.request)
    drain(scheduler)
    assert backend.decoded - before == 1  # it was all read meanwhile


def test_what_another_waits_for_too_is_read_on_and_what_is_put_aside_is_taken_up() -> None:
    backend = FakeBackend(cells=400, sequences=4, batch=8)
    scheduler = scheduler_of(backend, active=1)
    leaves, stays = (Client(chunked([[5] * 40], [rest]), 4) for rest in (3, 4))
    scheduler.waiting.extend([leaves.request, stays.request])
    scheduler.step()
    leaves.cancel.set()
    until_done(scheduler, stays)
    assert stays.text == expected(stays.request.tokens, 4)[0]
    leaves = Client(chunked([[6] * 40], [3]), 4)
    scheduler.waiting.append(leaves.request)
    scheduler.step()
    leaves.cancel.set()
    scheduler.step()
    late = Client(chunked([[6] * 40, [7] * 10], [3]), 4)
    scheduler.waiting.append(late.request)
    until_done(scheduler, late)
    assert late.text == expected(late.request.tokens, 4)[0]


def test_what_is_put_aside_does_not_hold_up_what_is_asked_for(monkeypatch) -> None:
    monkeypatch.setitem(globals(), "follow", lambda held: 5)  # every answer runs to its limit
    scheduler = scheduler_of(FakeBackend(cells=400, sequences=2), active=1)  # one chunk is read at a time
    stays, leaves = Client(chunked([[8] * 20, [9] * 20], [3]), 4), Client(chunked([[5] * 8], [3]), 4)
    scheduler.waiting.extend([stays.request, leaves.request])
    scheduler.step()
    scheduler.step()
    writes = Client([1], 60)
    scheduler.waiting.append(writes.request)
    scheduler.step()
    leaves.cancel.set()
    for _ in range(20):
        scheduler.step()
    assert scheduler.running[0].request is writes.request
    assert not scheduler._missing(stays.request)
    assert [reading.part.tokens[0] for reading in scheduler.readings] == [5]


def test_cells_shared_with_a_reading_are_not_taken_for_held_when_it_was_put_off_and_begins_anew(monkeypatch) -> None:
    monkeypatch.setitem(globals(), "follow", lambda held: 5)  # every answer runs to its limit
    backend = FakeBackend(cells=600, sequences=6, batch=32)
    scheduler = scheduler_of(backend, active=3, memory=10**9, prefixes=0)
    head, kept, late = Part((7,) * 100, "head"), Part((1,) * 10, "kept"), Part((2,) * 200, "late")

    def ask(prompt: TokenPrompt, most: int) -> Client:
        client = Client(prompt, most)
        scheduler.waiting.append(client.request)
        scheduler.step()
        return client

    until_done(scheduler, ask(TokenPrompt(head, (kept,), (3,)), 1))
    scheduler.readings.append(Reading(head, late, background=True))
    scheduler.step()
    shares = ask(TokenPrompt(head, (kept,), (3,) * 5), 100)  # the head is that of the reading
    until_done(scheduler, ask(plain([6] * 250), 2))  # the reading makes room, and the shared cells are his who shares
    while len(shares.request.completion) < 55:
        scheduler.step()
    ask(TokenPrompt(head, (late,), (4,) * 5), 60)  # now it is read after all, in the same slot
    ask(plain([8] * 184), 1)
    drain(scheduler)  # the backend sees to it that no more cells are held than there are


def test_a_long_stop_costs_no_more_than_what_is_held() -> None:
    out = TextOut(("a" * 10_000_000,))
    began = time.process_time()
    assert out.feed(b"aaa") == ("", False)
    assert out.feed(b"b") == ("aaab", False)
    assert time.process_time() - began < 1


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=3), max_size=2), st.randoms())
def test_text_is_whole_characters_and_ends_before_the_stop_string(text: str, stop: list[str], random: object) -> None:
    raw, out, shown, stopped = text.encode("utf-8", "replace"), TextOut(tuple(stop)), "", False
    while raw and not stopped:
        cut = random.randint(1, 4)  # type: ignore[attr-defined]
        piece, stopped = out.feed(raw[:cut])
        raw, shown = raw[cut:], shown + piece
    if not stopped:
        shown += out.feed(b"", final=True)[0]
    whole = text.encode("utf-8", "replace").decode()
    ends = [whole.find(word) + len(word) for word in stop if word in whole]
    first = whole[: min(ends)] if ends else whole
    cuts = [first.find(word) for word in stop if word in first]
    assert shown == (first[: min(cuts)] if cuts else first)


def test_what_is_left_to_read_is_read_at_once_where_one_step_can() -> None:
    """Otherwise only a part of a step reads while another writes, so that he is not held up."""

    def read_in_a_step(prompt: int) -> int:
        scheduler = scheduler_of(FakeBackend(batch=128, cells=1024), active=2)
        scheduler.waiting.append(Client([1, 2], 30).request)
        scheduler.step()
        reader = Client([1] * prompt, 3)
        scheduler.waiting.append(reader.request)
        scheduler.step()
        return next(len(slot.tokens) for slot in scheduler.running if slot.request is reader.request)

    assert read_in_a_step(100) == 100
    assert 0 < read_in_a_step(300) < 64


def test_what_weighs_words_goes_first_and_needs_no_place_among_the_answers() -> None:
    backend = FakeBackend(sequences=3, batch=32)
    scheduler = scheduler_of(backend, active=1)
    writing, waiting = Client([1, 2, 1], 8), Client([3, 3, 2], 8)
    scheduler.waiting.extend([writing.request, waiting.request])
    scheduler.step()
    weighing = Client([1, 2, 2], 1, weighs=True)
    scheduler.waiting.append(weighing.request)
    scheduler.step()
    assert isinstance(weighing.end, Done)
    assert not waiting.events
    drain(scheduler)
    assert (writing.text, waiting.text) == (expected([1, 2, 1], 8)[0], expected([3, 3, 2], 8)[0])


def test_a_prompt_that_begins_as_a_running_one_shares_its_cells() -> None:
    """Nothing of the shared prefix is computed again, and cutting one of the two leaves the other whole."""
    backend = FakeBackend(cells=200, sequences=3, batch=32)
    scheduler = scheduler_of(backend, active=2, prefixes=0)
    head = [1, 2, 3] * 10
    first = Client([*head, 5], 10)
    scheduler.waiting.append(first.request)
    scheduler.step()
    before = backend.decoded
    second = Client([*head, 6, 7], 10)
    scheduler.waiting.append(second.request)
    scheduler.step()
    assert backend.decoded - before <= 3  # the two tokens, and one of the first answer
    assert second.request.cached == len(head)
    drain(scheduler)
    assert (first.text, second.text) == (expected([*head, 5], 10)[0], expected([*head, 6, 7], 10)[0])


def test_what_weighs_words_needs_no_room_for_the_cells_it_shares() -> None:
    """Otherwise it would wait for answers to end, and nothing that is checked could be shown before."""
    backend = FakeBackend(cells=60, sequences=4, batch=32)
    scheduler = scheduler_of(backend, active=2, prefixes=0)
    prompt = next([n] * 20 for n in range(1, 1000) if expected([n] * 20, 30)[1] == "length")
    writing, waiting = Client(prompt, 30), Client([3] * 50, 5)
    scheduler.waiting.append(writing.request)
    scheduler.step()
    scheduler.waiting.append(waiting.request)
    weighing = Client([*prompt, 7, 8], 1, weighs=True)
    scheduler.waiting.append(weighing.request)
    scheduler.step()
    assert isinstance(weighing.end, Done)
    assert len(writing.events) < 5
    drain(scheduler)
    assert waiting.text == expected([3] * 50, 5)[0]


def test_what_shares_cells_holds_them_when_their_owner_has_ended() -> None:
    backend = FakeBackend(cells=60, sequences=4, batch=32)
    scheduler = scheduler_of(backend, active=3, prefixes=0)
    owner, sharer = Client([1] * 20, 1), Client([*[1] * 20, 2], 20)
    scheduler.waiting.extend([owner.request, sharer.request])
    scheduler.step()
    late = Client([4] * 15, 5)
    scheduler.waiting.append(late.request)
    drain(scheduler)  # the backend sees to it that no more cells are held than there are
    assert sharer.text == expected([*[1] * 20, 2], 20)[0]
    assert late.text == expected([4] * 15, 5)[0]


def test_a_model_that_keeps_one_running_state_shares_nothing() -> None:
    backend = FakeBackend(cells=200, sequences=3, batch=32)
    backend.cuts = backend.moves = False
    scheduler = scheduler_of(backend, active=2)
    clients = [Client([1, 2, 3, 4, tail], 6) for tail in (5, 6)]
    for client in clients:
        scheduler.waiting.append(client.request)
        scheduler.step()
    drain(scheduler)
    for client, tail in zip(clients, (5, 6), strict=True):
        assert client.text == expected([1, 2, 3, 4, tail], 6)[0]


def test_who_waits_for_a_chunk_is_not_overtaken_for_ever() -> None:
    backend = FakeBackend(cells=40, sequences=4, batch=16)
    scheduler = scheduler_of(backend, active=2, prefixes=0)
    first = Client([9] * 10, 20)
    scheduler.waiting.append(first.request)
    scheduler.step()
    patient = Client(chunked([[5] * 20], [6] * 4), 4)
    scheduler.waiting.append(patient.request)
    for number in range(200):
        if patient.events and isinstance(patient.events[-1], Done):
            break
        scheduler.waiting.append(Client([7, number % 90 + 1] * 5, 20).request)
        scheduler.step()
    assert isinstance(patient.end, Done)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(prompts, st.booleans(), st.integers(0, 10)), min_size=1, max_size=10))
def test_weighing_changes_no_answer(jobs: list[tuple[list[int], bool, int]]) -> None:
    backend = FakeBackend(sequences=4, batch=12)
    scheduler = scheduler_of(backend, active=2)
    clients = [Client(prompt, 1 if weighs else 8, weighs) for prompt, weighs, _ in jobs]
    for step in range(11):
        scheduler.waiting.extend(c.request for c, (_, _, at) in zip(clients, jobs, strict=True) if at == step)
        scheduler.step()
    drain(scheduler)
    for client, (prompt, weighs, _) in zip(clients, jobs, strict=True):
        assert isinstance(client.end, Done)
        assert weighs or client.text == expected(prompt, 8)[0]


kinds = st.sampled_from(["plain", "chunked", "weighs"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(kinds, chunks, prompts, st.integers(1, 12), st.integers(0, 20), st.none() | st.integers(0, 25)),
        min_size=1,
        max_size=10,
    ),
    st.lists(st.tuples(chunks, st.integers(0, 20), st.none() | st.integers(0, 25)), max_size=4),
    st.integers(60, 100),
    st.integers(1, 3),
    st.sampled_from([0, 40, 10_000]),
    st.integers(0, 3),
)
def test_whatever_comes_together_ends_once_and_holds_no_more_cells_than_there_are(
    jobs: list[tuple[str, list[list[int]], list[int], int, int, int | None]],
    ahead: list[tuple[list[list[int]], int, int | None]],
    cells: int,
    active: int,
    memory: int,
    drafts: int,
) -> None:
    backend = FakeBackend(cells=cells, sequences=active + 3, batch=8)
    scheduler = scheduler_of(backend, active, memory, memory, drafts)
    clients = [
        Client(plain(rest) if kind == "plain" or not parts else chunked(parts, rest), most, kind == "weighs")
        for kind, parts, rest, most, *_ in jobs
    ]
    readings: list[Reading] = []
    for step in range(26):
        for client, (*_, comes, leaves) in zip(clients, jobs, strict=True):
            if comes == step:
                scheduler.waiting.append(client.request)
            if leaves == step:
                client.cancel.set()
        for parts, comes, leaves in ahead:
            if comes == step and parts:
                cancel = threading.Event()
                prompt = chunked(parts, [1])
                pairs = [(Part(()), prompt.head), *((prompt.head, part) for part in prompt.chunks)]
                new = [Reading(head, part, True, cancel) for head, part in pairs]
                scheduler.readings.extend(new)
                readings += new
            if leaves is not None and leaves == step:
                for reading in readings:
                    reading.cancel.set()
        scheduler.step()
        assert backend.used <= cells
    drain(scheduler)
    for client, (kind, *_, most, _, leaves) in zip(clients, jobs, strict=True):
        assert isinstance(client.end, Done)
        text, finish = expected(client.request.tokens, most)
        assert leaves is not None or kind == "weighs" or (client.text, client.end.finish) == (text, finish)
        assert kind == "weighs" or text.startswith(client.text)
    assert all(reading.future.done() for reading in readings)
    assert not any(backend.held)
    assert all(sampler.closed for sampler in backend.samplers)


@pytest.fixture
def engine() -> Iterator[Engine]:
    backend = FakeBackend(cells=1000, sequences=6, batch=64)
    backend.trained_context = 1000  # type: ignore[attr-defined]
    engine = Engine(backend, ChatTemplate(None), EngineConfig(reuse="chunks"))  # type: ignore[arg-type]
    yield engine
    engine.close()


HELLO = [Turn("user", (Segment("Hello"),))]


def test_an_engine_goes_on_after_a_step_that_failed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(FakeSampler, "sample", broken)
        for _ in range(3):
            with pytest.raises(EngineFailed, match="Generation failed"):
                list(engine.generate(HELLO, Params(max_tokens=3)))
    assert engine.stats()["alive"] == 1
    assert engine.stats()["failed_total"] == 3
    assert isinstance(list(engine.generate(HELLO, Params(max_tokens=3)))[-1], Done)


def test_an_engine_that_failed_in_admitting_is_not_alive(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    assert engine.stats()["alive"] == 1
    monkeypatch.setattr(engine._scheduler, "_admit", broken)
    with pytest.raises(EngineFailed):
        list(engine.generate(HELLO, Params()))
    assert engine.stats()["alive"] == 0


@pytest.mark.parametrize("stop", [("",), ("end", ""), ("x" * 201,), ("x",) * 17])
def test_stops_that_are_empty_or_too_long_or_too_many_are_refused(engine: Engine, stop: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="stop"):
        engine.generate(HELLO, Params(stop=stop))
    list(engine.generate(HELLO, Params(max_tokens=2, stop=("x" * 200,) * 16)))


def test_weighings_count_as_such_however_they_end(engine: Engine) -> None:
    cancel = threading.Event()
    cancel.set()
    for _ in range(2):
        assert engine.weigh(HELLO, (("y",), ("n",)), cancel).result() is None
    totals = engine.totals
    assert (totals.weighed, totals.requests, totals.cancelled, totals.failed) == (2, 0, 0, 0)


def test_what_can_never_be_read_is_refused(engine: Engine) -> None:
    def turns(length: int) -> list[Turn]:
        return [Turn("user", (Segment("Sources: "), Segment("x" * length, "chunk"), Segment("?")))]

    with pytest.raises(QuestionTooLong, match="the context holds 1000"):
        engine.read(turns(1000), threading.Event())
    assert engine.read(turns(500), threading.Event()) > 500


def test_where_nothing_can_be_computed_the_engine_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = engine._scheduler.step

    def counted() -> bool:
        nonlocal steps
        steps += 1
        return step()

    monkeypatch.setattr(engine._scheduler, "step", counted)
    stuck = Reading(Part(()), Part((1,) * 2000, "large"), background=True)
    began = time.monotonic()
    engine._submit(stuck)
    wait_until(lambda: steps > 2)
    assert steps <= (time.monotonic() - began) / 0.05 + 3
    assert isinstance(list(engine.generate(HELLO, Params(max_tokens=3)))[-1], Done)
    stuck.cancel.set()
    with pytest.raises(CancelledError):
        stuck.future.result(5)
