"""What a step computes: a token for each answer, and as much of what is still to be read as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.engine.backend import Row
from assistant.engine.requests import Reading, Slot

_TILE = 32  # rows that llama.cpp's matrix kernels for AMX compute at a time; others have smaller ones


def build_batch(slots: Sequence[Slot], waits: bool, most: int, drafts: int) -> list[tuple[Slot, Row]]:
    """One token for each user who is decoding, then unread tokens, shared evenly among those who read.

    `waits` is whether a request waits for a slot; a step has at most `most` tokens, `drafts` of them guessed.
    """
    decoding = [slot for slot in slots if slot.request and slot.request.completion]
    rows = [(slot, _decode_row(slot, len(decoding), most, drafts)) for slot in decoding]
    reading = sorted(_readers(slots, waits), key=lambda slot: len(slot.pending))
    used = sum(len(row.tokens) for _, row in rows)
    budget = most - used
    if decoding and sum(len(slot.pending) for slot in reading) > budget:  # else one step ends all waiting
        budget = _beside(used, most) - used
    for left, slot in zip(range(len(reading), 0, -1), reading, strict=True):
        share = min(-(-budget // left), len(slot.pending))
        if share:
            rows.append((slot, slot.row(share)))
            budget -= share
    return rows


def _decode_row(slot: Slot, users: int, most: int, drafts: int) -> Row:
    """The latest token of an answer, and what may follow it."""
    request = slot.request
    assert request is not None
    guesses = request.guess(min(drafts, most - users) // users)
    return Row(slot.sequence, len(slot.tokens), (*slot.pending, *guesses), logits=True, guesses=len(guesses))


def _readers(slots: Sequence[Slot], waits: bool) -> list[Slot]:
    """Slots with unread tokens; what is read ahead pauses while anyone waits for an answer."""
    busy = waits or any(slot.request for slot in slots)
    return [
        slot
        for slot in slots
        if slot.job
        and not (slot.request and slot.request.completion)
        and not (busy and isinstance(slot.job, Reading) and slot.job.background)
    ]


def _beside(used: int, batch: int) -> int:
    """Tokens in a step in which `used` are of answers: a long prompt must not hold up those who follow theirs.

    Whole tiles, as a tile that is begun costs as much as a full one (docs/lab.md).
    """
    return min(batch, max(batch // 8, _TILE * (used // _TILE + 1)))
