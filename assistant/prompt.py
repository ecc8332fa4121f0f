"""Question, history and hits to the prompt's messages, within a token budget. The only reader of `prompts/`.

The sources stand first, in the first user message, and the conversation follows them: a follow-up question over the
same sources then begins with the same tokens as the question before it, and their KV is used again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from assistant.errors import BadSettings, QuestionTooLong
from assistant.records import Block, Hit, Message, PromptMessage

_PLACEHOLDERS = {"system": set(), "sources": set(), "source": {"heading", "text"}, "question": {"question"}}
_MARKER = re.compile(r"\s?\[\d{1,3}\]")
_TURN_TOKENS = 8  # what a chat template adds around a message, at most

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Prompt:
    """`hits` are those that fitted, in the order they have in the prompt; `dropped_turns` counts lost messages."""

    messages: tuple[PromptMessage, ...]
    hits: tuple[Hit, ...]
    dropped_turns: int


class Prompts:
    """The templates of one folder. Raises BadSettings when one is missing or lacks a placeholder."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or _shipped()
        self._texts = {name: _read(folder / f"{name}.txt", wanted) for name, wanted in _PLACEHOLDERS.items()}

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 of each template, by name: what an evaluation report identifies the prompts by."""
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self._texts.items()}

    def build(
        self,
        question: str,
        history: Sequence[Message],
        hits: Sequence[Hit],
        count: Count,
        budget: int,
        history_budget: int,
    ) -> Prompt:
        """The prompt in at most `budget` tokens, of which the history gets at most `history_budget`.

        The newest exchange of the history always stays. Hits that do not fit are left out, worst first.
        Raises QuestionTooLong when not even the question fits beside the best hit.
        """
        asked = self._fill("question", question=question)
        left = budget - count(self._texts["system"]) - count(asked) - 3 * _TURN_TOKENS
        if left < 0:
            raise QuestionTooLong(
                f"The question has {count(question)} tokens; {budget} fit with the instructions.",
                "Ask a shorter question, or raise engine.context_tokens.",
            )
        best = count(self._source(hits[0])) if hits else 0
        kept = _newest(self._turns(history), count, min(history_budget, max(left - best, 0)))
        left -= sum(_cost(turn, count) for turn in kept)
        shown = self._fitting(hits, count, left)
        if hits and not shown:
            raise QuestionTooLong(
                f"The question has {count(question)} tokens and leaves no room for a source among {budget}.",
                "Ask a shorter question, start a new conversation, or raise engine.context_tokens.",
            )
        messages = self._messages(asked, kept, shown)
        return Prompt(messages, tuple(shown), dropped_turns=len(history) - len(kept))

    def _messages(self, asked: str, kept: Sequence[Message], hits: Sequence[Hit]) -> tuple[PromptMessage, ...]:
        sources = (Block(self._texts["sources"]), *(Block(self._source(hit), hit.chunk.id) for hit in hits))
        turns = [PromptMessage(turn.role, (Block(turn.content),)) for turn in kept]
        turns.append(PromptMessage("user", (Block(asked),)))
        first = PromptMessage("user", (*sources, *turns[0].blocks))
        return (PromptMessage("system", (Block(self._texts["system"]),)), first, *turns[1:])

    def _turns(self, history: Sequence[Message]) -> list[Message]:
        """The history as the model saw it: earlier questions in their form, answers without our markers."""
        return [
            Message("user", self._fill("question", question=turn.content))
            if turn.role == "user"
            else Message("assistant", _MARKER.sub("", turn.content))
            for turn in history
        ]

    def _fitting(self, hits: Sequence[Hit], count: Count, left: int) -> list[Hit]:
        shown = []
        for hit in hits:
            left -= count(self._source(hit))
            if left < 0:
                break
            shown.append(hit)
        return shown

    def _source(self, hit: Hit) -> str:
        """A chunk as the model reads it: the same in every prompt, whatever its rank."""
        chunk = hit.chunk
        heading = ", ".join(part for part in (chunk.title or chunk.file, chunk.publisher, chunk.date) if part)
        return self._fill("source", heading=heading, text=chunk.text) + "\n"

    def _fill(self, name: str, **values: str) -> str:
        return Template(self._texts[name]).substitute(values)


def _newest(turns: Sequence[Message], count: Count, budget: int) -> list[Message]:
    """The latest turns that fit; the last exchange is kept whatever it costs, cut to the budget where too long.

    What is kept begins with a user's turn, as chat templates demand.
    """
    kept: list[Message] = []
    for turn in reversed(turns):
        cost = _cost(turn, count)
        if cost > budget and len(kept) >= 2:
            break
        if cost > budget:
            turn = Message(turn.role, _cut(turn.content, count, budget))
            cost = min(_cost(turn, count), budget)
        budget -= cost
        kept.insert(0, turn)
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept


def _cut(text: str, count: Count, budget: int) -> str:
    """The beginning of a text, in about `budget` tokens."""
    size = count(text)
    keep = int(len(text) * max(budget - _TURN_TOKENS, 8) / max(size, 1))
    return text if keep >= len(text) else text[:keep] + " …"


def _cost(turn: Message, count: Count) -> int:
    return count(turn.content) + _TURN_TOKENS


def _shipped() -> Path:
    """`prompts/` of the repository, or its copy inside an installed package."""
    inside = Path(__file__).parent / "prompts"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "prompts"


def _read(path: Path, wanted: set[str]) -> str:
    try:
        text = path.read_text("utf-8").strip() + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"The prompt {path} cannot be read: {error}.", "Restore it.") from error
    found = set(Template(text).get_identifiers())
    if found != wanted:
        names = ", ".join(f"${name}" for name in sorted(wanted)) or "none"
        raise BadSettings(f"The prompt {path} must have these placeholders: {names}.", "Correct it.")
    return text
