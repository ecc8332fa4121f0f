"""How should chunks' KV be computed before a question comes? Ways of reading them, compared on the same prompts.

    python -m evals.ways SQUAD_FOLDER [--articles 3] [--output FILE]

The questions are those of `evals.reuse` whose gold paragraph is in one of a few articles: those with most questions
a token, among the articles of at most LARGEST tokens. Every way gives the same prompt, likely sentences included,
so only the sources' KV differs:

- full: the sources read one behind the other, nothing joined;
- alone: each read alone behind the fixed head, moved and joined ("chunks", the product's way);
- context: each read where it stands in its article, behind all that comes before it there, then moved and joined;
- whole: nothing chosen; the question is asked behind the whole article, read once, as a small corpus could be.

Prints one JSON line a way; a file given as --output keeps every answer, and a stopped run goes on from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant import models
from assistant.engine import Engine, Params
from assistant.engine.backend import LlamaBackend, Row, Sampler
from assistant.engine.requests import Part, TokenPrompt
from assistant.engine.template import ChatTemplate
from assistant.prompt import Prompts
from assistant.records import Hit
from assistant.runnables import to_messages, to_turns
from assistant.settings import Settings
from assistant.tuning import engine_config
from evals.nearness import Nearness
from evals.reuse import Case, cases, check, hit, keep, kept, right

WAYS = ("full", "alone", "context", "whole")
CONTEXT = 12_288  # tokens: an article, and the question's own sources beside it
LARGEST = 7_000  # tokens of an article's paragraphs
QUESTIONS = 200
MAX_TOKENS = 64
_ARTICLE, _ASKING = 0, 1  # sequences


class Reader:
    """Reads token sequences with one model, and writes answers behind them."""

    def __init__(self) -> None:
        settings = Settings()
        model = models.resolve(settings.models.llm, settings.models.folder)
        config = replace(
            engine_config(settings, model.sha256), reuse="chunks", context_tokens=CONTEXT, draft_tokens=0, store=None
        )
        self.backend = LlamaBackend(model.paths["model"], config)
        template = ChatTemplate(self.backend.chat_template)
        self.engine = Engine(self.backend, template, config, self.backend.bos if self.backend.add_bos else None)
        self._prompts, self._nearness = Prompts(point=True), Nearness.open(settings)
        self._alone: dict[str, bytes] = {}
        self._greedy: Sampler = self.backend.sampler(Params())

    def prompt(self, question: str, hits: Sequence[Hit]) -> TokenPrompt:
        """The product's prompt over all these hits, in tokens."""
        compared = self._nearness.of(question, hits)
        built = self._prompts.build(question, (), compared, self.engine.count, CONTEXT, 0)
        return self.engine.tokenize(to_turns(to_messages(built.messages)))

    def read(self, sequence: int, start: int, tokens: Sequence[int]) -> int:
        """Computes tokens behind the first `start` of a sequence; returns the last one's index for a sampler."""
        index = 0
        for first in range(0, len(tokens), self.backend.batch):
            row = Row(sequence, start + first, tokens[first : first + self.backend.batch], logits=True)
            (index,) = self.backend.decode([row])
        return index

    def alone(self, prompt: TokenPrompt, part: Part) -> bytes:
        """The part's cells, read behind the head and nothing else."""
        if part.key not in self._alone:
            self.backend.truncate(_ASKING, 0)
            head = len(prompt.head.tokens)
            self.read(_ASKING, 0, prompt.head.tokens + part.tokens)
            self._alone[part.key] = self.backend.save(_ASKING, head, head + len(part.tokens))
        return self._alone[part.key]

    def answer(self, start: int, tokens: Sequence[int]) -> str:
        """What is written, greedily, behind `start` tokens of _ASKING and these."""
        index, text = self.read(_ASKING, start, tokens), b""
        at = start + len(tokens)
        for _ in range(MAX_TOKENS):
            token = self._greedy.sample(index)
            if self.backend.ends(token):
                break
            text += self.backend.piece(token)
            index, at = self.read(_ASKING, at, [token]), at + 1
        return text.decode("utf-8", "replace")

    def close(self) -> None:
        self._greedy.close()
        self.engine.close()


@dataclass(frozen=True, slots=True)
class Article:
    """What is read into _ARTICLE: `length` tokens. Of each paragraph, by key, its cells and where they begin there."""

    length: int
    cells: dict[str, bytes]
    starts: dict[str, int]

    @classmethod
    def read(cls, reader: Reader, paragraphs: Sequence[Hit]) -> Article:
        """Reads an article from its first paragraph to its last."""
        reader.backend.clear()
        prompt = reader.prompt("", paragraphs)
        if len(prompt.chunks) < len(paragraphs):
            sys.exit("The article does not fit into the context.")
        at, cells, starts = len(prompt.head.tokens), {}, {}
        reader.read(_ARTICLE, 0, prompt.head.tokens)
        for part in prompt.chunks:
            reader.read(_ARTICLE, at, part.tokens)
            starts[part.key], at = at, at + len(part.tokens)
            cells[part.key] = reader.backend.save(_ARTICLE, starts[part.key], at)
        return cls(at, cells, starts)


def ask(reader: Reader, way: str, case: Case, article: Article) -> str:
    """The answer to one question in one way."""
    prompt = reader.prompt(case.question, case.hits)
    alone = {part.key: reader.alone(prompt, part) for part in prompt.chunks} if way == "alone" else {}
    reader.backend.truncate(_ASKING, 0)
    if way == "full":
        return reader.answer(0, prompt.tokens)
    if way == "whole":
        reader.backend.share(_ARTICLE, _ASKING, article.length)
        return reader.answer(article.length, prompt.rest)
    at = head = len(prompt.head.tokens)
    reader.backend.share(_ARTICLE, _ASKING, head)
    for part in prompt.chunks:
        data, start = (alone[part.key], head) if alone else (article.cells[part.key], article.starts[part.key])
        if not reader.backend.join(_ASKING, data, start, at, len(part.tokens)):
            sys.exit("Cells could not be joined: the context is full.")
        at += len(part.tokens)
    return reader.answer(at, prompt.rest)


def chosen(folder: Path, reader: Reader, count: int) -> list[tuple[list[Hit], list[Case]]]:
    """Articles that fit, as paragraphs in their order, with their questions: those with most questions a token."""
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    titles: dict[str, list[Hit]] = {}
    for paragraph in corpus:
        titles.setdefault(paragraph["title"], []).append(hit(paragraph))
    asked: dict[str, list[Case]] = {}
    for case in cases(folder, QUESTIONS):
        asked.setdefault(case.hits[0].chunk.title or "", []).append(case)
    size = {title: sum(reader.engine.count(one.chunk.text) for one in titles[title]) for title in asked}
    fitting = [title for title in asked if size[title] < LARGEST]
    fitting.sort(key=lambda title: size[title] / len(asked[title]))
    return [(titles[title], asked[title]) for title in fitting[:count]]


def run(folder: Path, articles: int, known: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """One result for each question and way that is not `known`."""
    reader = Reader()
    try:
        for paragraphs, asked in chosen(folder, reader, articles):
            todo = [(case, way) for case in asked for way in WAYS if (way, case.id) not in known]
            article = Article.read(reader, paragraphs) if todo else None
            for case, way in todo:
                assert article is not None
                answer = ask(reader, way, case, article)
                yield {"id": case.id, "way": way, "answer": answer, "right": right(answer, case.answers)}
    finally:
        reader.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--articles", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    check(given.folder)
    results = kept(given.output)
    for result in run(given.folder, given.articles, {(one["way"], one["id"]) for one in results}):
        results.append(result)
        keep(given.output, result)
        print(f"{len(results)} answers", end="\r", file=sys.stderr)
    full = {one["id"] for one in results if one["way"] == "full" and one["right"]}
    for way in WAYS:
        had = {one["id"] for one in results if one["way"] == way and one["right"]}
        n = sum(one["way"] == way for one in results)
        print(json.dumps({"way": way, "n": n, "right": len(had), "lost": len(full - had), "won": len(had - full)}))


if __name__ == "__main__":
    main()
