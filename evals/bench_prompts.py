"""What the benchmark asks: passages cut from real documents, and the prompts made of them.

Passages begin at words drawn with a fixed seed, never twice at the same one, so no engine has seen a prompt before it
is measured, while every run asks the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import BadInput
from assistant.prompt import Prompts
from assistant.records import Chunk, Hit, Message, PromptMessage

SEED = 11
PASSAGE = 250  # tokens
HITS = 4
ROOM = 512  # tokens left for the answer, as with the product's own setting

ABOUT = "What do the sources say about {words}, and who says it?"
WORDS = 5  # of the sources, in a question: a real one has some too, by which likely sentences are found
FOLLOW_UP = "And what do they say about the reasons?"
LONG = (
    "Retell everything that the sources report, in at least ten long paragraphs. Leave nothing out, and do not stop "
    "early: a short answer is of no use here."
)

Wire = list[dict[str, Any]]  # a prompt on its way to an engine: {"role", "blocks": [[text, chunk id], ...]} a message


@dataclass(frozen=True, slots=True)
class Text:
    """A document as the bytes of its tokens."""

    file: str
    pieces: tuple[bytes, ...]


class Drawer:
    """Hands out passages that it has not handed out before. Raises BadInput when the documents have no more."""

    def __init__(self, texts: Sequence[Text], size: int = PASSAGE, seed: int = SEED) -> None:
        self._texts, self._size = texts, size
        self._starts = [
            (number, start)
            for number, text in enumerate(texts)
            for start in range(len(text.pieces) - size + 1)
            if start == 0 or text.pieces[start][:1].isspace()
        ]
        random.Random(seed).shuffle(self._starts)

    def hits(self, count: int = HITS) -> tuple[Hit, ...]:
        if len(self._starts) < count:
            raise BadInput("The documents have too little text for this benchmark.", "Name more with --documents.")
        return tuple(self._hit(*self._starts.pop()) for _ in range(count))

    def _hit(self, number: int, start: int) -> Hit:
        text = self._texts[number]
        passage = b"".join(text.pieces[start : start + self._size]).decode("utf-8", "ignore").strip()
        name = f"{number}-{start}"
        return Hit(Chunk(name, str(number), passage, 0, len(passage), file=text.file), 0.0)


class Asker:
    """Builds prompts as the product does, in a form that travels."""

    def __init__(self, drawer: Drawer, count: Callable[[str], int], context_tokens: int, point: bool = False) -> None:
        self._drawer, self._count = drawer, count
        self._budget = context_tokens - ROOM
        self._prompts = Prompts(point=point)
        self._random = random.Random(SEED)

    def hits(self, count: int = HITS) -> tuple[Hit, ...]:
        return self._drawer.hits(count)

    def question(self, hits: Sequence[Hit]) -> str:
        """One about some words of one of the hits."""
        return about(self._random.choice(hits).chunk.text, self._random)

    def prompt(self, question: str, hits: Sequence[Hit], history: Sequence[Message] = ()) -> Wire:
        built = self._prompts.build(question, history, hits, self._count, self._budget, history_budget=1024)
        return [_message(message) for message in built.messages]

    def reading(self, hits: Sequence[Hit]) -> list[Wire]:
        """What is read ahead of any question: each chunk alone, as `Assistant.read_ahead` has it."""
        return [self.prompt("?", [hit]) for hit in hits]


def about(text: str, draw: random.Random) -> str:
    """A question about some words that follow each other in the text."""
    words = text.split()
    start = draw.randrange(max(1, len(words) - WORDS))
    return ABOUT.format(words=" ".join(words[start : start + WORDS]).strip(".,;:!?"))


def texts(folder: Path, cut: Callable[[str], Sequence[bytes]]) -> list[Text]:
    """The documents of a folder, cut into tokens. Raises what `documents_in` raises."""
    return [Text(path.name, tuple(cut(path.read_text("utf-8", "replace")))) for path in documents_in(folder)]


def documents_in(folder: Path) -> list[Path]:
    """Its text files. Raises BadInput when there are none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".txt", ".md") and path.is_file())
    if not paths:
        raise BadInput(f"{folder} has no .txt or .md files.", "Name a folder that has with --documents.")
    return paths


def plain(wire: Wire) -> list[dict[str, str]]:
    """The same messages with plain text contents, as other engines take them."""
    return [{"role": message["role"], "content": "".join(text for text, _ in message["blocks"])} for message in wire]


def _message(message: PromptMessage) -> dict[str, Any]:
    return {"role": message.role, "blocks": [[block.text, block.id] for block in message.blocks]}
