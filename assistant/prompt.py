"""Question, history and hits to the prompt's messages, within a token budget. The only reader of `prompts/`.

The sources stand first, in the first user message, and the conversation follows them: a follow-up question over the
same sources then begins with the same tokens as the question before it, and their KV is used again.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from string import Template

from assistant.errors import BadSettings, QuestionTooLong
from assistant.passages import Passage, before, nearest
from assistant.records import Block, Hit, Message, PromptMessage, heading

_PLACEHOLDERS = {
    "system": set(),
    "sources": set(),
    "source": {"heading", "text"},
    "question": {"question"},
    "pointed": {"question", "passages"},
    "stated": {"sentence"},
    "again": {"sentences"},
    "translate": {"language", "question"},
}
_MARKER = re.compile(r" \[\d{1,3}\]")  # as our answers have it
_BREAKS = r"\n\v\f\r\x1c-\x1e\x85\u2028\u2029"  # where `str.splitlines` ends a line
_SEPARATES = rf"(?:[^\w{_BREAKS}]|_)"
_NUMBERED = rf"(?:(?:\d{{1,3}}(?:\.\d{{1,3}})*+|[a-z]|[ivx]{{1,4}})[.)\]:、]{_SEPARATES}*+)"  # 1. or a) or 2.3:
_BETWEEN = rf"(?:(?:[^\w:.!?。{_BREAKS}]|\.(?=\s?\d)){{0,8}}+\w{{1,24}}+){{0,3}}+[^\w:{_BREAKS}]{{0,8}}+"
_RUN = re.compile(r"(?P<plain>[\n -~]+)|.", re.DOTALL)
_WORDS = 4  # of a line of ours without a colon, below which it is like anybody's
_TURN_TOKENS = 8  # what a chat template adds around a message, at most
_LEAST = 2 * _TURN_TOKENS  # tokens below which a turn is not worth keeping
_POINTED = 4  # a question with its likely passages takes at most this part of the budget
_GAP_CHARS = 8  # of white space between neighbouring chunks, at most
_GAP = " […]"  # stands where a turn was cut

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Prompt:
    """`hits` are those that fitted, in prompt order; `dropped_turns` counts turns that were left out or cut; `sought`
    are the question that found the hits, and what it refers to.
    """

    messages: tuple[PromptMessage, ...]
    hits: tuple[Hit, ...]
    dropped_turns: int
    sought: tuple[str, str]


class Prompts:
    """The templates of one folder. Raises BadSettings when one is missing or lacks a placeholder.

    `point` repeats the likely sentences of the sources beside the question, for a model that reads chunks one by one.
    """

    def __init__(self, folder: Path | None = None, point: bool = False) -> None:
        self._point = point
        folder = folder or _shipped()
        self._texts = {name: _read(folder / f"{name}.txt", wanted) for name, wanted in _PLACEHOLDERS.items()}
        self._ours = _ours(self._texts.values())

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
        sought: tuple[str, str] | None = None,
    ) -> Prompt:
        """The prompt in at most `budget` tokens, of which the history gets at most `history_budget`.

        The newest exchange of the history always stays. Hits that do not fit are left out, worst first. `sought` is a
        translation that found them, with the question before it: the likely sentences are those nearest to it.
        Raises QuestionTooLong when not even the question fits beside the best hit.
        """
        sought = sought or (question, before(history))
        passages = nearest(sought[0], hits, sought[1]) if self._point else []
        asked = self._ask(question, passages)
        if passages and count(asked) > budget // _POINTED:
            passages, asked = [], self._ask(question, [])
        left = budget - count(self._texts["system"]) - count(asked) - 3 * _TURN_TOKENS
        if left < 0:
            raise QuestionTooLong(
                f"The question has {count(question)} tokens; {budget} fit with the instructions.",
                "Ask a shorter question, or raise engine.context_tokens.",
            )
        best = count(self._source(hits[0])) if hits else 0
        turns = self._turns(history)
        kept = _newest(turns, count, min(history_budget, max(left - best, 0)))
        left -= sum(_cost(turn, count) for turn in kept)
        shown = _together(self._fitting(hits, count, left))
        if hits and not shown:
            raise QuestionTooLong(
                f"The question has {count(question)} tokens and leaves no room for a source among {budget}.",
                "Ask a shorter question, start a new conversation, or raise engine.context_tokens.",
            )
        fitting = {hit.chunk.id for hit in shown}
        asked = self._ask(question, [passage for passage in passages if passage.chunk_id in fitting])
        messages = self._messages(asked, kept, shown)
        return Prompt(messages, tuple(shown), sum(turn not in kept for turn in turns), sought)

    def stated(self, prompt: Prompt, sentence: str) -> tuple[PromptMessage, ...]:
        """Asks whether the sources state a sentence: begins with the very prompt it is an answer to."""
        *turns, last = prompt.messages
        *blocks, asked = last.blocks
        text = asked.text + self._fill("stated", sentence=_flat(sentence))
        return (*turns, PromptMessage(last.role, (*blocks, Block(text))))

    def again(self, prompt: Prompt, answer: str, failed: Sequence[str]) -> tuple[PromptMessage, ...]:
        """Asks once more, after an answer in which some sentences were said by no source."""
        named = " ".join(f"“{_flat(sentence)}”" for sentence in failed)
        return (
            *prompt.messages,
            PromptMessage("assistant", (Block(answer),)),
            PromptMessage("user", (Block(self._fill("again", sentences=named)),)),
        )

    def translation(self, question: str, language: str) -> tuple[PromptMessage, ...]:
        """Asks for a question, and what it refers to in lines before it, in another language."""
        text = self._fill("translate", question=question, language=language)
        return (PromptMessage("user", (Block(text),)),)

    def _messages(self, asked: str, kept: Sequence[Message], hits: Sequence[Hit]) -> tuple[PromptMessage, ...]:
        sources = (Block(self._texts["sources"]), *(Block(self._source(hit), hit.chunk.id) for hit in hits))
        first, *others = _merged([*kept, Message("user", asked)])
        return (
            PromptMessage("system", (Block(self._texts["system"]),)),
            PromptMessage("user", (*sources, Block(first.content))),
            *(PromptMessage(turn.role, (Block(turn.content),)) for turn in others),
        )

    def _ask(self, question: str, passages: Sequence[Passage]) -> str:
        if not passages:
            return self._fill("question", question=question)
        near = " ".join(passage.text for passage in passages)
        return self._fill("pointed", question=question, passages=self._quoted(near))

    def _turns(self, history: Sequence[Message]) -> list[Message]:
        """The history as the model saw it: earlier questions in their form, answers without our markers."""
        return [
            Message("user", self._fill("question", question=turn.content))
            if turn.role == "user"
            else Message("assistant", self._quoted(_MARKER.sub("", turn.content)))  # an answer quotes documents
            for turn in history
            if turn.role != "system"  # who asks does not instruct
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
        return self._fill("source", heading=heading(hit.chunk), text=self._quoted(hit.chunk.text)) + "\n"

    def _quoted(self, text: str) -> str:
        """A document's text in which no line looks like one of the prompt's own: such are set off as quotations."""
        plain, places = _plain(text)
        starts = [places[match.start() - 1] + 1 if match.start() else 0 for match in self._ours.finditer(plain)]
        return "> ".join(text[start:end] for start, end in pairwise([0, *starts, len(text)]))

    def _fill(self, name: str, **values: str) -> str:
        return Template(self._texts[name]).substitute(values)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _ours(templates: Iterable[str]) -> re.Pattern[str]:
    """Where a line begins, in a text that is `_plain`, that looks like one of the templates' own."""
    lines = {line.partition("$")[0] for template in templates for line in template.splitlines()}
    heads = "|".join(sorted({head for line in lines if (head := _head(line))}))
    start = rf"(?:^|(?<=[{_BREAKS}]))(?={_SEPARATES}*+{_NUMBERED}{{0,2}}+(?:{heads}))"
    return re.compile(start, re.IGNORECASE)


def _head(line: str) -> str:
    """A pattern for how a line begins: the words before its colon, which others may follow, or its first sentence; ""
    where it has neither.
    """
    said, end = re.findall(r"([^:.!?]*)([:.!?]?)", line)[0]
    words = re.findall(r"\w+", said)
    if not words or (end != ":" and len(words) < _WORDS):
        return ""
    words_end = rf"{_SEPARATES}{{1,8}}+".join(words) + r"(?![^\W\d_])"
    return words_end + rf"(?:[\s*_]{{0,8}}|{_BETWEEN})[:∶꞉]" if end == ":" else words_end


def _plain(text: str) -> tuple[str, list[int]]:
    """The text as it looks: without what is not seen, each letter in its usual form. And the place in the text that
    each of these characters comes from.
    """
    looks: list[str] = []
    places: list[int] = []
    for run in _RUN.finditer(text):
        looks.append(run["plain"] or _look(run[0]))
        places += range(*run.span()) if run["plain"] else [run.start()] * len(looks[-1])
    return "".join(looks), places


@lru_cache(1 << 14)
def _look(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Mn", "Me") or (category == "Cc" and not character.isspace()):
        return ""
    if category == "No":
        return " "  # ① and the like number a line
    usual = unicodedata.normalize("NFKC", character)
    return usual if character.isalnum() or len(usual) == 1 else character


def _together(hits: Sequence[Hit]) -> list[Hit]:
    """The same, best first, but with parts of one text that adjoin side by side, in the order of the text.

    They stay chunks of their own: what is computed for a chunk is kept under its own text.
    """
    runs: list[list[Hit]] = []
    for hit in hits:
        run = next((run for run in runs if _adjoin(run[-1], hit) or _adjoin(hit, run[0])), None)
        if run is None:
            runs.append([hit])
        else:
            run.insert(len(run) if _adjoin(run[-1], hit) else 0, hit)
    return [hit for run in runs for hit in run]


def _adjoin(first: Hit, second: Hit) -> bool:
    """Whether one chunk goes on where another ends, but for white space, or overlaps its end."""
    one, other = first.chunk, second.chunk
    return one.document_id == other.document_id and one.start < other.start <= one.end + _GAP_CHARS


def _newest(turns: Sequence[Message], count: Count, budget: int) -> list[Message]:
    """The latest turns that fit, from a user's turn on, as chat templates demand.

    The last exchange is kept unless there is no budget at all, cut where it is too long.
    """
    last_exchange = max((n for n, turn in enumerate(turns) if turn.role == "user"), default=len(turns))
    must = turns[last_exchange:] if budget >= _LEAST * len(turns[last_exchange:]) else []
    share = budget // len(must) if must else 0
    kept = [turn if _cost(turn, count) <= share else _cut(turn, count, share) for turn in must]
    left = budget - sum(_cost(turn, count) for turn in kept)
    for turn in reversed(turns[:last_exchange] if must else []):
        left -= _cost(turn, count)
        if left < 0:
            break
        kept.insert(0, turn)
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept


def _cut(turn: Message, count: Count, budget: int) -> Message:
    """The beginning of a turn, as much of it as fits."""
    fits = bisect_left(
        range(len(turn.content)),
        True,
        key=lambda n: _cost(Message(turn.role, turn.content[: n + 1] + _GAP), count) > budget,
    )
    return Message(turn.role, turn.content[:fits] + _GAP)


def _merged(turns: Sequence[Message]) -> list[Message]:
    """Neighbouring turns of one role as one: some templates refuse two in a row (a question without an answer)."""
    merged: list[Message] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            turn = Message(turn.role, f"{merged.pop().content}\n{turn.content}")
        merged.append(turn)
    return merged


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
    template = Template(text)
    found = set(template.get_identifiers())
    if found != wanted or not template.is_valid():
        names = ", ".join(f"${name}" for name in sorted(wanted)) or "none"
        raise BadSettings(f"The prompt {path} must have these placeholders: {names}.", "Correct it.")
    return text
