"""What is asked: checked before anything is loaded for it, and together with what it refers to."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.errors import BadInput, EmptyQuestion
from assistant.records import Message


def checked(question: str) -> str:
    """The question without outer white space. Raises EmptyQuestion, and BadInput where it is not Unicode text."""
    question = unicode(question, "question").strip()
    if not question:
        raise EmptyQuestion("The question is empty.", "Type a question.")
    return question


def unicode(text: str, what: str) -> str:
    """The text. Raises BadInput, naming it as `what`, where it has half a character (a lone surrogate)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"The {what} is not Unicode text (character {error.start}).", "Send it as UTF-8.") from error
    return text


def before(history: Sequence[Message]) -> str:
    """The last question of a conversation; "" where there is none."""
    return next((turn.content for turn in reversed(history) if turn.role == "user"), "")
