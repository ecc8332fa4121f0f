"""What the language model says of sentences that people, or a gold answer, have judged: what `check.json` is made of.

    python -m evals.witness FOLDER ROWS.jsonl [--questions 700] [--found 180] [--claims 40]

FOLDER holds the data sets of docs/datasets.md. Each line of ROWS is a sentence, the texts it is held against, whether
they support it, and the model's log odds that they state it, asked exactly as an answer's sentences are
(`prompts/stated.txt`, over joined chunks where `engine.reuse` has them). There are three kinds, of which the first two
also have the hidden state with which the answer began:

- answers: the model's first sentence to questions of SQuAD 2.0, half of them unanswerable, over their paragraph and
  three others; supported is one that has a gold answer. The questions are drawn with a seed of their own, and those
  that the suite `squad2` asks by default are left out.
- found: the same to questions of nq_paragraphs and, in Spanish, Chinese and German, of xquad, over the paragraphs with
  most of their words; half of the questions without the paragraph that answers them.
- claims: those of `evals.claims`, over the passages of their text that share most with them.

Lines that are there already are kept, so a run that was stopped goes on. Takes 2 to 8 s a line on two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from assistant import models
from assistant.check import YES_OR_NO
from assistant.chunks import split
from assistant.cite import terms
from assistant.engine import Engine, Params, Piece
from assistant.errors import AssistantError
from assistant.prompt import Prompt, Prompts
from assistant.records import Chunk, Document, Hit
from assistant.runnables import to_messages, to_turns
from assistant.sentences import spans
from assistant.settings import Settings
from assistant.tuning import engine_config
from evals import claims as judged
from evals import evaluation
from evals.bm25 import Bm25
from evals.checker import said
from evals.public import Loaded, nq_paragraphs, squad2, xquad
from evals.records import Case, Claim, Given
from evals.scorers.normal import holds

SEED = 4242
_ASKED = 400  # of the suite `squad2` as an evaluation draws it, none of which is taken
ANSWERS, FOUND = "answers", "found"  # the groups that the model answered
LAYER = 17  # of 28: of 10, 13, 15, 17, 19, 21, 23, 25 and the last the best for the probe (lab book)
_LANGUAGES = ("es", "zh", "de")
_HITS = 4
_CANDIDATES = 12  # paragraphs of which those are taken that do not hold the answer
_CHUNK = 1000  # characters
_SENTENCES = 3  # of a claim, at most
_LONGEST = 48  # tokens of an answer, of which the first sentence counts


@dataclass(frozen=True, slots=True)
class Row:
    """`group` is the set; `text` is what parts the halves: rows about one text are in the same one."""

    id: str
    group: str
    text: str
    question: str
    sentences: tuple[str, ...]
    passages: tuple[str, ...]
    supported: bool
    stated: tuple[float, ...]  # a sentence each
    hidden: tuple[float, ...] = ()


class Witness:
    """A model that is asked as the product asks it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prompts = Prompts(point=True)

    def answer(self, case: Case) -> Row:
        """A row of the first sentence that the model answers."""
        hits = [_hit(given.file, given.text) for given in case.given]
        prompt = self._prompt(case.question, hits)
        params = Params(max_tokens=_LONGEST, watch=True)
        events = self._engine.generate(to_turns(to_messages(prompt.messages)), params)
        pieces = [event for event in events if isinstance(event, Piece)]
        text = "".join(piece.text for piece in pieces).strip()
        first = next((text[span.start : span.end] for span in spans(text)), text)
        right = bool(case.answerable) and any(holds(first, gold) for gold in case.answers)
        row = self._row(case.id, FOUND if case.tags == (FOUND,) else ANSWERS, case.question, (first,), prompt, right)
        seen = pieces[0].hidden if pieces else None
        return row if seen is None else replace(row, hidden=tuple(round(float(one), 3) for one in seen))

    def claim(self, claim: Claim) -> Row:
        """A row of a judged claim."""
        text = said(claim)
        parts = tuple(text[span.start : span.end] for span in spans(text))
        parts = tuple(part for part in parts if len(terms(part)) > 1)[:_SENTENCES] or (text,)
        prompt = self._prompt(claim.question or text, _nearest(text, claim.context))
        return self._row(claim.id, claim.source, claim.question, parts, prompt, claim.supported, claim.context)

    def _prompt(self, question: str, hits: Sequence[Hit]) -> Prompt:
        budget = self._engine.context_tokens - 512
        return self._prompts.build(question, (), hits, self._engine.count, budget, 0)

    def _row(
        self,
        id: str,
        group: str,
        question: str,
        sentences: tuple[str, ...],
        prompt: Prompt,
        supported: bool,
        text: str = "",
    ) -> Row:
        asked = [to_turns(to_messages(self._prompts.stated(prompt, sentence))) for sentence in sentences]
        weighings = [self._engine.weigh(turns, YES_OR_NO, threading.Event()) for turns in asked]
        stated = tuple(round(weighing.result() or 0.0, 4) for weighing in weighings)
        passages = tuple(hit.chunk.text for hit in prompt.hits)
        return Row(id, group, text or passages[0], question, sentences, passages, supported, stated)


def _nearest(claim: str, context: str) -> list[Hit]:
    """The chunks of a text that share most terms with a claim, in their order."""
    document = Document("claim", "", "", "text", context)
    wanted = terms(claim)
    chunks = sorted(split(document, _CHUNK, 0), key=lambda one: -len(wanted & terms(one.text)))[:_HITS]
    return [Hit(one, 0.0) for one in sorted(chunks, key=lambda one: one.start)]


def _hit(file: str, text: str) -> Hit:
    return Hit(Chunk(f"{file}-{len(text)}", file, text, 0, len(text), file=file), 0.0)


def _found(loaded: Loaded, count: int) -> list[Case]:
    """Questions over the paragraphs with most of their words, every second one without the right paragraph."""
    texts, draw, cases = list(loaded.documents.items()), random.Random(SEED), []
    index = Bm25([text for _, text in texts])
    for number, case in enumerate(loaded.cases[:count]):
        near = [texts[place] for place in index.best(case.question, _CANDIDATES)]
        others = [
            (file, text)
            for file, text in near
            if file not in case.documents and not any(gold.lower() in text.lower() for gold in case.answers)
        ]
        right = [] if number % 2 else [(file, loaded.documents[file]) for file in case.documents]
        shown = (right + others)[:_HITS]
        draw.shuffle(shown)
        if shown:
            given = tuple(Given(file, text) for file, text in shown)
            cases.append(replace(case, given=given, answerable=bool(right), documents=(), spans=(), tags=(FOUND,)))
    return cases


def work(folder: Path, questions: int, found: int, claims: int) -> Iterator[Case | Claim]:
    """Cases and claims in turn, so that a run that is stopped has some of each. Raises BadInput."""
    asked = {case.id for case in squad2(folder, _ASKED, evaluation.SEED).cases}
    cases = [case for case in squad2(folder, None, SEED).cases if case.id not in asked][:questions]
    searched = _found(nq_paragraphs(folder, None, SEED), 2 * found // 3)
    for code in _LANGUAGES:
        searched += _found(xquad(code, folder, None, SEED), found // 3 // len(_LANGUAGES))
    sets = [judged.read(folder, name, claims, SEED)[0] for name in judged.NAMES if name != "halueval"]
    sets.append(judged.swapped(folder, claims, SEED))
    for place in range(max(questions, found, claims)):
        yield from cases[place : place + 1]
        yield from searched[place : place + 1]
        for one in sets:
            yield from (claim for claim in one[place : place + 1] if claim.context.strip())


def read(rows: Path) -> list[Row]:
    """The rows of a file; none where it is not there."""
    lines = rows.read_text("utf-8").splitlines() if rows.exists() else []
    return [TypeAdapter(Row).validate_json(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--questions", type=int, default=700)
    parser.add_argument("--found", type=int, default=180)
    parser.add_argument("--claims", type=int, default=40, help="of each set")
    given = parser.parse_args()
    settings = Settings()
    try:
        todo = list(work(given.folder, given.questions, given.found, given.claims))
        model = models.resolve(settings.models.llm, settings.models.folder, "llm")
        config = replace(engine_config(settings, model.sha256), store=None, watch_layer=LAYER)  # no text comes twice
        engine = Engine.open(model.paths["model"], config)
    except AssistantError as error:
        sys.exit(str(error))
    known = {row.id for row in read(given.rows)}
    witness = Witness(engine)
    with given.rows.open("a", encoding="utf-8") as file:
        for done, one in enumerate(todo, 1):
            if one.id not in known:
                row = witness.answer(one) if isinstance(one, Case) else witness.claim(one)
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
                file.flush()
            print(f"\r{done} of {len(todo)}", end="", file=sys.stderr)
    engine.close()


if __name__ == "__main__":
    main()
