"""A conversation as the page keeps it: questions, and what is known of their answers so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.records import (
    AbstainReason,
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
    Verdict,
)

ABSTAINED: dict[AbstainReason, str] = {
    "no_hits": "Nothing in the documents is close to this question.",
    "not_supported": "The documents do not answer this question.",
    "out_of_scope": "The documents do not seem to answer this question.",
}
VERDICTS: dict[Verdict, str] = {
    "supported": "in the sources",
    "unsupported": "not in the sources",
    "unchecked": "not checked",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what is known of its answer so far. `n` counts from 1; `failure` is (message, hint)."""

    n: int
    question: str
    text: str = ""
    pending: str = ""  # written and not checked: shown behind `text`, and no part of the answer
    begun: bool = False  # the model has written something, though nothing of it may have stood the check
    hits: tuple[Hit, ...] | None = None  # None until the search is done
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped_turns: int = 0
    answer: Answer | None = None
    failure: tuple[str, str] | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None or self.failure is not None

    @property
    def abstained(self) -> bool:
        return self.answer is not None and self.answer.abstained

    @property
    def unchecked(self) -> bool:
        """Nothing that was said so far has been checked."""
        return bool(self.sentences) and all(sentence.verdict == "unchecked" for sentence in self.sentences)


def advance(turn: Turn, event: Event) -> Turn:
    """The turn after one more event of its stream."""
    match event:
        case Retrieved(hits=hits, dropped_turns=dropped):
            return replace(turn, hits=hits, dropped_turns=dropped)
        case Pending(text=text):
            return replace(turn, pending=text, begun=turn.begun or bool(text))
        case Token(text=text):
            return replace(turn, text=turn.text + text, begun=True)
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
        return _outcome(turn, turn.answer)
    if turn.hits is None:
        return "Searching the documents…"
    if turn.sentences:
        return _spoken(turn, turn.sentences[-1])
    if not turn.begun:
        return f"Reading {count(len(turn.hits), 'passage')}…"
    return "Answering…" if turn.text else "Checking…"


def news(shown: Turn, turn: Turn) -> str:
    """What a screen reader is told when `turn` takes the place of `shown`: each sentence once, with what is wrong with
    it, and each phase once. Empty where neither is new, so that it is not told of every token.
    """
    told = [_spoken(turn, sentence) for sentence in turn.sentences[len(shown.sentences) :]]
    if phase(turn) not in (phase(shown), *told[-1:]):
        told.append(phase(turn))
    return " ".join(told)


def _spoken(turn: Turn, sentence: Sentence) -> str:
    """A sentence, after what is wrong with it. That nothing at all is checked is told once, at the end."""
    fine = sentence.verdict == "supported" or turn.unchecked
    return sentence.text if fine else f"{VERDICTS[sentence.verdict].capitalize()}: {sentence.text}"


def _outcome(turn: Turn, answer: Answer) -> str:
    left_out = f" {count(len(answer.left_out), 'sentence')} left out." if answer.left_out else ""
    if answer.abstained:
        return f"No answer. {why_none(answer)}{left_out}"
    unchecked = " It was not checked." if turn.unchecked else ""
    return f"Answer complete, {count(len(turn.citations), 'citation')}.{unchecked}{left_out}"


def why_none(answer: Answer) -> str:
    """Why there is no answer, as a sentence."""
    return ABSTAINED[answer.reason or "not_supported"]


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
