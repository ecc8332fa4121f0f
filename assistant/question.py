"""What is asked, checked before anything is loaded for it."""

from __future__ import annotations

from assistant.errors import BadInput, EmptyQuestion


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
