"""Continuous batching: which tokens of which jobs are computed next.

The worker thread is the only caller. Jobs share each step (Orca, OSDI 2022): users who are decoding get one token
each, and what is left of the batch reads prompts. A prompt's chunks are not read in place but each for itself, behind
the prompt's fixed head, and kept; they are then loaded, moved to their place and joined (Prompt Cache, MLSys 2024).
What is read for a request goes before what is read ahead, which gets a step only when nobody waits for an answer.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace

from assistant.engine.backend import Backend, Row
from assistant.engine.batch import build_batch
from assistant.engine.lookup import Lookup
from assistant.engine.requests import Part, Reading, Request, Slot, TextOut
from assistant.engine.store import KVStore, PrefixCache, shared
from assistant.engine.types import Finish, Piece

log = logging.getLogger(__name__)


class Scheduler:
    """Admits jobs to slots and runs them, a step at a time. `active` is how many answers run side by side.

    `drafts` is how many tokens a step may guess, all answers together: more cost more than they bring.
    """

    def __init__(self, backend: Backend, active: int, store: KVStore, prefixes: PrefixCache, drafts: int = 0) -> None:
        self._backend = backend
        self._slots = [Slot(sequence) for sequence in range(backend.sequences)]
        self._active = active
        self._store = store
        self._prefixes = prefixes
        self._drafts = drafts
        self.waiting: deque[Request] = deque()
        self.readings: deque[Reading] = deque()

    @property
    def running(self) -> list[Slot]:
        """Slots that write an answer."""
        return [slot for slot in self._slots if slot.request]

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.readings) or any(slot.job for slot in self._slots)

    def step(self) -> bool:
        """Computes one batch. Returns False when there was nothing to compute.

        What goes wrong in it ends the jobs concerned; only a mistake in taking and admitting them is raised.
        """
        self._drop_unwanted()
        self._pause_unasked()
        self._admit()
        rows = build_batch(self._slots, bool(self.waiting), self._backend.batch, self._drafts)
        if not rows:
            return False
        try:
            outputs = self._backend.decode([row for _, row in rows])
            for (slot, row), index in zip(rows, outputs, strict=True):
                self._advance(slot, row, index)
        except Exception as error:
            log.exception("A step failed.")
            self._fail(error)
        return True

    def fail_all(self, error: Exception) -> None:
        """Ends every job, waiting or running, with `error`."""
        while self.waiting:
            self.waiting.popleft().end(error)
        while self.readings:
            self.readings.popleft().future.set_exception(error)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Ends the jobs that run."""
        for slot in self._slots:
            self._fail_job(slot, error)
        self._backend.clear()  # after a failed decode the state of its cells is unknown

    def _fail_job(self, slot: Slot, error: Exception) -> None:
        """Ends a slot's job, if it has one, and the requests that wait for what was being read."""
        if isinstance(slot.job, Request):
            slot.job.end(error)
        elif slot.job:
            slot.job.future.set_exception(error)
            for request in [request for request in self.waiting if slot.job.part in request.prompt.kept]:
                self.waiting.remove(request)
                request.end(error)
        if slot.job:
            self._release(slot)

    def _drop_unwanted(self) -> None:
        for request in [request for request in self.waiting if request.unwanted]:
            self.waiting.remove(request)
            request.end(request.done("cancelled"))
        for reading in [reading for reading in self.readings if reading.unwanted]:
            self.readings.remove(reading)
            reading.future.cancel()
        for slot in [slot for slot in self._slots if slot.job and slot.job.unwanted]:
            if slot.request:
                self._finish(slot, "cancelled")
            else:
                job = self._release(slot)
                assert isinstance(job, Reading)
                job.future.cancel()

    def _pause_unasked(self) -> None:
        """What was read for requests that are gone is read ahead from now on: others go first, and it is kept."""
        asked = {part.key for request in self.waiting for part in request.prompt.kept}
        for job in (*self.readings, *(slot.job for slot in self._slots)):
            if isinstance(job, Reading) and job.part.key not in asked:
                job.background = True

    # Admission

    def _admit(self) -> None:
        """First come, first served, but for what only weighs words: it takes a step or two, and an answer waits.

        Who lacks cells of a chunk has it read and lets others pass meanwhile, if the reading finds room.
        """
        for request in sorted(self.waiting, key=lambda request: not request.weighs):
            if not request.weighs and len([slot for slot in self.running if not slot.weighs]) >= self._active:
                break
            if not self._follows(request) and self._missing(request):
                self._start_readings()
                if any(isinstance(slot.job, Reading) and not slot.job.background for slot in self._slots):
                    continue
                break  # else others could take each place that is freed
            slot = self._slot_for(request) or (self._slot_for(request) if self._put_off() else None)
            if slot:
                self._place(slot, request)
            elif not request.weighs:
                break  # who does not fit yet waits, and so do those behind
        self._start_readings()

    def _follows(self, request: Request) -> bool:
        """Whether it weighs words behind a prompt that runs, whose cells it shares."""
        return request.weighs and self._nearest(request)[0] >= sum(len(part.tokens) for part in request.prompt.kept)

    def _slot_for(self, request: Request) -> Slot | None:
        """A slot for a request, if there is room for it; what weighs words needs none for what it shares."""
        return self._free_slot(request.room - (self._nearest(request)[0] if request.weighs else 0))

    def _start_readings(self) -> None:
        for reading in sorted(self.readings, key=lambda reading: reading.background):
            if not self._start_reading(reading):
                break

    def _missing(self, request: Request) -> bool:
        """Whether cells of the request's kept parts are still to be read; sees to it that they are."""
        parts = request.prompt.kept
        lacking = [part for part in parts if not self._hold(request, part)]
        request.awaited |= {part.key for part in lacking}
        if lacking:
            request.work_begins()
        if lacking and lacking[0] is parts[0]:
            lacking = lacking[:1]  # the chunks are read behind the head
        for part in lacking:
            self._want(Reading(parts[0] if part is not parts[0] else Part(()), part, background=False))
        return bool(lacking)

    def _hold(self, request: Request, part: Part) -> bool:
        """Takes the part's cells out of the store, so that they cannot be lost before they are loaded."""
        if part.key not in request.cells:
            data = self._store.get(part.key)
            if data is None:
                return False
            request.cells[part.key] = data
        return True

    def _want(self, reading: Reading) -> None:
        """Puts a reading for a request before those for later; once is enough."""
        for slot in self._slots:
            if isinstance(slot.job, Reading) and slot.job.part.key == reading.part.key and not slot.job.unwanted:
                slot.job.background = False
                return
        for known in self.readings:
            if known.part.key == reading.part.key and not known.unwanted:
                known.background = False
                self.readings.remove(known)
                self.readings.appendleft(known)
                return
        self.readings.appendleft(reading)

    def _start_reading(self, reading: Reading) -> bool:
        """Gives a reading its slot; False when there is no room for it now."""
        if reading.background and (self.waiting or self.running):
            return False
        slot = self._reading_slot(reading)
        if slot is None and not reading.background and self._put_off():
            slot = self._reading_slot(reading)
        if slot is None:
            return False
        head = self._store.get(reading.head.key) if reading.head.key else b""
        self.readings.remove(reading)
        slot.job = reading
        if head and self._backend.load(slot.sequence, head):
            slot.tokens = list(reading.head.tokens)
        return True

    def _free_slot(self, cells: int) -> Slot | None:
        """An empty slot, if `cells` more are free."""
        if sum(slot.reserved for slot in self._slots) + cells > self._backend.cells:
            return None
        return next((slot for slot in self._slots if slot.job is None), None)

    def _reading_slot(self, reading: Reading) -> Slot | None:
        """A slot for one more reading; those for answers stay free."""
        started = sum(isinstance(slot.job, Reading) for slot in self._slots)
        return self._free_slot(reading.room) if started < len(self._slots) - self._active else None

    def _put_off(self) -> bool:
        """Takes back what is being read ahead: it holds room and does not go on while somebody waits."""
        found = [slot for slot in self._slots if isinstance(slot.job, Reading) and slot.job.background]
        for slot in found:
            reading = self._release(slot)
            assert isinstance(reading, Reading)
            self.readings.append(replace(reading))  # not itself: who shared its cells knows the job by identity
        return bool(found)

    def _place(self, slot: Slot, request: Request) -> None:
        """Gives a request its slot."""
        self.waiting.remove(request)
        slot.job = request
        request.work_begins()
        try:
            self._prepare(slot, request)
        except Exception as error:
            log.exception("An answer could not be begun.")
            self._fail_job(slot, error)

    def _prepare(self, slot: Slot, request: Request) -> None:
        """Loads what is known of the prompt: the longest prefix of an earlier one, and the kept parts behind it."""
        known = self._load_prefix(slot, request)
        at = 0
        for part in request.prompt.kept:
            if at == known and self._join(slot, request, part, at):
                known = at + len(part.tokens)
            at += len(part.tokens)
        slot.tokens = list(request.tokens[:known])
        read = sum(len(part.tokens) for part in request.prompt.kept if part.key in request.awaited)
        request.cached = max(known - read, 0)
        request.cells.clear()
        request.sampler = self._backend.sampler(request.params)
        request.text = TextOut(request.params.stop)
        request.lookup = Lookup(request.tokens) if self._drafts else None

    def _load_prefix(self, slot: Slot, request: Request) -> int:
        """Length of the prefix that is known from a running prompt or an earlier one, after taking it over."""
        running, nearest = self._nearest(request)
        free = self._backend.cells - sum(other.reserved for other in self._slots if other is not slot)
        found = None if running and request.weighs else self._prefixes.longest(request.tokens, free)
        if nearest and running >= (found[0] if found else 1):
            self._backend.share(nearest.sequence, slot.sequence, running)
            slot.lean_on(nearest, running)
            return running
        if found is None:
            return 0
        length, _, data = found
        known = request.prompt.boundary(min(length, len(request.tokens) - 1))
        if known == 0 or not self._backend.load(slot.sequence, data):
            return 0
        self._backend.truncate(slot.sequence, known)
        return known

    def _nearest(self, request: Request) -> tuple[int, Slot | None]:
        """How much of a prompt one that runs begins with, and its slot; (0, None) for none."""
        if not self._backend.cuts:
            return 0, None
        known, nearest = max(
            ((shared(tuple(slot.tokens), request.tokens), slot) for slot in self._slots), key=lambda pair: pair[0]
        )
        known = request.prompt.boundary(min(known, len(request.tokens) - 1))
        return (known, nearest) if known else (0, None)

    def _join(self, slot: Slot, request: Request, part: Part, at: int) -> bool:
        """Puts a kept part's cells at position `at`, where the slot's cells end."""
        data, head = request.cells[part.key], len(request.prompt.head.tokens)
        if at == 0:
            return self._backend.load(slot.sequence, data)
        return self._backend.join(slot.sequence, data, head, at, len(part.tokens))

    # Steps

    def _advance(self, slot: Slot, row: Row, index: int) -> None:
        """Takes what was computed for a slot. Where that fails, the cells of the others are as they should be."""
        slot.tokens.extend(row.tokens)
        try:
            if isinstance(slot.job, Reading) and not slot.pending:
                self._keep(slot, slot.job)
            elif row.logits:
                self._deliver(slot, row, index)
        except Exception as error:
            log.exception("What a step computed could not be used.")
            self._fail_job(slot, error)

    def _keep(self, slot: Slot, reading: Reading) -> None:
        """Stores the cells of a part that has been read, and hands them to those who wait for them."""
        data = self._backend.save(slot.sequence, len(reading.head.tokens), len(slot.tokens))
        self._store.put(reading.part.key, data)
        for request in self.waiting:
            if reading.part in request.prompt.kept:
                request.cells[reading.part.key] = data
        self._release(slot)
        reading.future.set_result(data)

    def _deliver(self, slot: Slot, row: Row, index: int) -> None:
        """Samples the next tokens of a slot, as far as what was guessed turns out right, and hands their text on."""
        request, finish, right = slot.request, None, 0
        assert request is not None
        assert request.sampler is not None
        guesses = row.tokens[len(row.tokens) - row.guesses :]
        for right, guess in enumerate((*guesses, None)):
            token = request.sampler.sample(index - row.guesses + right)
            finish = self._take(request, token)
            if finish or token != guess:
                break
        request.guessed += row.guesses
        request.guessed_right += right + (token == guess)  # the last one can be right and end the answer
        if right < row.guesses:
            del slot.tokens[len(slot.tokens) - row.guesses + right :]
            self._backend.truncate(slot.sequence, len(slot.tokens))
        if finish:
            self._finish(slot, finish)

    def _take(self, request: Request, token: int) -> Finish | None:
        """Adds a token to an answer, and says whether it is the last."""
        assert request.text is not None
        request.add(token)
        if self._backend.ends(token):
            return "stop"
        text, stopped = request.text.feed(self._backend.piece(token))
        if text:
            request.emit(Piece(text))
        if stopped:
            return "stop"
        return "length" if len(request.completion) >= request.params.max_tokens else None

    def _finish(self, slot: Slot, finish: Finish) -> None:
        request = slot.request
        assert request is not None
        if request.text:
            text, _ = request.text.feed(b"", final=True)
            if text:
                request.emit(Piece(text))
        request.end(request.done(finish))
        if finish != "cancelled" and not request.weighs and self._backend.cuts:  # what was weighed does not come again
            self._prefixes.put(tuple(slot.tokens), self._backend.save(slot.sequence, 0, len(slot.tokens)))
        self._release(slot)

    def _release(self, slot: Slot) -> Request | Reading:
        """Takes the job from its slot and frees the slot's cells."""
        assert slot.job is not None
        job, slot.job, slot.tokens, slot.source = slot.job, None, [], None
        self._backend.truncate(slot.sequence, 0)
        if isinstance(job, Request) and job.sampler:
            job.sampler.close()
        return job
