"""A conversation as the page keeps it: questions, and what is known of their answers so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.records import (
    Answer,
    Citation,
    Event,
    Finished,
    Hit,
    Message,
    Pending,
    Retrieved,
    Sentence,
    SentenceChecked,
    Token,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what is known of its answer so far. `n` counts from 1; `failure` is (message, hint)."""

    n: int
    question: str
    text: str = ""
    pending: str = ""  # written and not checked: shown behind `text`, and no part of the answer
    hits: tuple[Hit, ...] | None = None  # None until the search is done
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped_turns: int = 0
    answer: Answer | None = None
    failure: tuple[str, str] | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None or self.failure is not None


def advance(turn: Turn, event: Event) -> Turn:
    """The turn after one more event of its stream."""
    match event:
        case Retrieved(hits=hits, dropped_turns=dropped):
            return replace(turn, hits=hits, dropped_turns=dropped)
        case Pending(text=text):
            return replace(turn, pending=text)
        case Token(text=text):
            return replace(turn, text=turn.text + text)
        case SentenceChecked(sentence=sentence, citations=citations):
            fresh = tuple(one for one in citations if one not in turn.citations)
            return replace(turn, sentences=(*turn.sentences, sentence), citations=turn.citations + fresh)
        case Finished(answer=answer):
            return replace(
                turn,
                text=answer.answer,
                pending="",
                hits=answer.hits,
                sentences=answer.sentences,
                citations=answer.citations,
                dropped_turns=answer.dropped_turns,
                answer=answer,
            )


def history(turns: Sequence[Turn]) -> list[Message]:
    """The conversation so far as messages; turns that failed or were stopped before the first word are left out."""
    messages: list[Message] = []
    for turn in turns:
        if turn.text and not turn.failure:
            messages += [Message("user", turn.question), Message("assistant", turn.text)]
    return messages


def phase(turn: Turn) -> str:
    """What the assistant is doing, or has done, in a few words: for the waiting line and for screen readers."""
    if turn.failure:
        return " ".join(turn.failure)
    if turn.answer:
        return f"Answer complete, {count(len(turn.citations), 'citation')}."
    if turn.hits is None:
        return "Searching the documents…"
    if not turn.text:
        return f"Reading {count(len(turn.hits), 'passage')}…"
    return turn.sentences[-1].text if turn.sentences else "Answering…"


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
