"""What the language model has in mind, and says, of sentences that people, or a gold answer, have judged: what
`check.json` and `probe.json` are made of.

    python -m evals.witness FOLDER ROWS.jsonl [--questions 1200] [--found 200] [--claims 20]

FOLDER holds the data sets of docs/datasets.md. Each line of ROWS has a question and the texts it was asked over. There
are three kinds, of which the first two have the hidden state with which the answer began:

- answers: questions of SQuAD 2.0, half of them unanswerable, over their paragraph and three others. No paragraph is
  among them about which the suite `squad2` asks one of its first questions.
- found: questions of nq_paragraphs and, in Spanish, Chinese and German, of xquad, over the paragraphs with most of
  their words: once with the paragraph that answers them and once without.
- claims: those of `evals.claims`, over the passages of their text that share most with them.

Of the questions every EVERY-th is answered: then the line has the first sentence of the answer, whether it has a gold
answer, and the model's log odds that the sources state it, asked exactly as an answer's sentences are
(`prompts/stated.txt`, over joined chunks where `engine.reuse` has them). The others are read up to the first word.

Lines that are there already are kept, so a run that was stopped goes on. Takes 1 to 7 s a line on two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from assistant import models
from assistant.check import YES_OR_NO
from assistant.chunks import split
from assistant.engine import Engine, Params, Piece
from assistant.errors import AssistantError
from assistant.prompt import Prompt, Prompts
from assistant.records import Chunk, Document, Hit
from assistant.runnables import to_messages, to_turns
from assistant.sentences import spans
from assistant.settings import Settings
from assistant.terms import terms
from assistant.tuning import engine_config
from evals import claims as judged
from evals import evaluation
from evals.bm25 import Bm25
from evals.checker import said
from evals.nearness import Nearness
from evals.public import Loaded, nq_paragraphs, squad2, squad2_paragraphs, xquad
from evals.public_data import rank
from evals.records import Case, Claim, Given
from evals.scorers.normal import holds

SEED = 4242
EVERY = 3  # a reading costs 1 s on two cores, an answer 3
_ASKED = 400  # of the suite `squad2` as an evaluation draws it, whose paragraphs are left out
_PARAGRAPHS, _FEW = 200, 30  # of SQuAD, and of xquad in each language: each has to be read before it is asked about
ANSWERS, FOUND = "answers", "found"  # the groups that the model answered
LAYER = 17  # of 28: of 10, 13, 15, 17, 19, 21, 23, 25 and the last the best for the probe (lab book)
_LANGUAGES = ("es", "zh", "de")
_HITS = 4
_CANDIDATES = 12  # paragraphs of which those are taken that do not hold the answer
_CHUNK = 1000  # characters
_SENTENCES = 3  # of a claim, at most
_LONGEST = 48  # tokens of an answer, of which the first sentence counts
_AT_ONCE = 4  # the engine computes them together
_KEPT_BYTES = 6 << 30  # of chunks that were read: most of them are asked about again


@dataclass(frozen=True, slots=True)
class Row:
    """`group` is the set; `text` is what parts the halves: rows about one text are in the same one.

    Without `sentences` it was only read, and `supported` says whether the sources have the answer.
    """

    id: str
    group: str
    text: str
    question: str
    sentences: tuple[str, ...]
    passages: tuple[str, ...]
    supported: bool
    stated: tuple[float, ...]  # a sentence each
    hidden: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A line that is wanted."""

    id: str
    of: Case | Claim
    answered: bool = True


class Witness:
    """A model that is asked as the product asks it."""

    def __init__(self, engine: Engine, nearness: Nearness) -> None:
        self._engine = engine
        self._nearness = nearness
        self._prompts = Prompts(point=True)

    def row(self, task: Task) -> Row:
        if isinstance(task.of, Claim):
            return self._claim(task.of)
        return self._answer(task.of, _LONGEST) if task.answered else self._answer(task.of, 1)

    def _answer(self, case: Case, longest: int) -> Row:
        """A row of the first sentence that the model answers, or of the first word alone."""
        prompt = self._prompt(case.question, [_hit(given.file, given.text) for given in case.given])
        seen: list[NDArray[np.float32]] = []

        def watch(hidden: NDArray[np.float32]) -> bool:
            seen.append(hidden)
            return True

        params = Params(max_tokens=longest, watch=watch)
        events = self._engine.generate(to_turns(to_messages(prompt.messages)), params)
        text = "".join(event.text for event in events if isinstance(event, Piece)).strip()
        first = next((text[span.start : span.end] for span in spans(text)), text)
        right = bool(case.answerable) and (longest == 1 or any(holds(first, gold) for gold in case.answers))
        said = () if longest == 1 else (first,)
        group, text = (FOUND, "") if case.tags == (FOUND,) else (ANSWERS, case.documents[0])
        row = self._row(case.id, group, case.question, said, prompt, right, text)
        return replace(row, hidden=tuple(round(float(one), 3) for state in seen for one in state))

    def _claim(self, claim: Claim) -> Row:
        """A row of a judged claim."""
        text = said(claim)
        parts = tuple(text[span.start : span.end] for span in spans(text))
        parts = tuple(part for part in parts if len(terms(part)) > 1)[:_SENTENCES] or (text,)
        prompt = self._prompt(claim.question or text, _nearest(text, claim.context))
        return self._row(claim.id, claim.source, claim.question, parts, prompt, claim.supported, claim.context)

    def _prompt(self, question: str, hits: Sequence[Hit]) -> Prompt:
        budget = self._engine.context_tokens - 512
        return self._prompts.build(question, (), self._nearness.of(question, hits), self._engine.count, budget, 0)

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


def _asked(folder: Path, count: int) -> list[Case]:
    """Questions of SQuAD 2.0 about paragraphs that the suite asks nothing about; `documents` names the paragraph."""
    about = squad2_paragraphs(folder)
    held = {about[case.id] for case in squad2(folder, _ASKED, evaluation.SEED).cases}
    free = sorted(set(about.values()) - held, key=lambda paragraph: rank(SEED, paragraph))[:_PARAGRAPHS]
    cases = squad2(folder, count, SEED, free).cases
    return [replace(case, documents=(about[case.id],)) for case in cases]


def _found(loaded: Loaded, count: int, among: int | None = None) -> list[Case]:
    """Questions over the paragraphs with most of their words, first with the right paragraph and then without; of
    `among` paragraphs only, where that is given.
    """
    texts, draw, cases = list(loaded.documents.items())[:among], random.Random(SEED), list[Case]()
    index, among_them = Bm25([text for _, text in texts]), {file for file, _ in texts}
    chosen = [case for case in loaded.cases if among_them.issuperset(case.documents)]
    for case in chosen[: count // 2]:
        near = [texts[place] for place in index.best(case.question, _CANDIDATES)]
        others = [
            (file, text)
            for file, text in near
            if file not in case.documents and not any(gold.lower() in text.lower() for gold in case.answers)
        ]
        for right in [(file, loaded.documents[file]) for file in case.documents], []:
            shown = (right + others)[:_HITS]
            draw.shuffle(shown)
            given = tuple(Given(file, text) for file, text in shown)
            id = " ".join((*case.tags, case.id, *([] if right else ["without"])))
            one = replace(case, id=id, given=given, answerable=bool(right), documents=(), spans=(), tags=(FOUND,))
            cases += [one] if shown else []
    return cases


def work(folder: Path, questions: int, found: int, claims: int) -> list[Task]:
    """What is wanted, mixed, so that a run that is stopped has some of each. Raises BadInput."""
    searched = _found(nq_paragraphs(folder, None, SEED), found // 3)
    for code in _LANGUAGES:
        searched += _found(xquad(code, folder, None, SEED), 2 * found // 3 // len(_LANGUAGES), _FEW)
    sets = [judged.read(folder, name, claims, SEED)[0] for name in judged.NAMES if name != "halueval"]
    sets.append(judged.swapped(folder, claims, SEED))
    tasks = [Task(claim.id, claim) for one in sets for claim in one if claim.context.strip()]
    for cases in _asked(folder, questions), searched:  # in both, one that has its answer and one without take turns
        tasks += [Task(case.id, case, number // 2 % EVERY == 0) for number, case in enumerate(cases)]
    random.Random(SEED).shuffle(tasks)
    return tasks


def read(rows: Path) -> list[Row]:
    """The rows of a file; none where it is not there."""
    lines = rows.read_text("utf-8").splitlines() if rows.exists() else []
    return [TypeAdapter(Row).validate_json(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--questions", type=int, default=1200)
    parser.add_argument("--found", type=int, default=200)
    parser.add_argument("--claims", type=int, default=20, help="of each set")
    given = parser.parse_args()
    settings = Settings()
    try:
        tasks = work(given.folder, given.questions, given.found, given.claims)
        model = models.resolve(settings.models.llm, settings.models.folder, "llm")
        config = engine_config(settings, model.sha256)
        config = replace(config, store=None, store_memory_bytes=_KEPT_BYTES, watch_layer=LAYER)
        engine, nearness = Engine.open(model.paths["model"], config), Nearness.open(settings)
    except AssistantError as error:
        sys.exit(str(error))
    known = {row.id for row in read(given.rows)}
    todo = [task for task in tasks if task.id not in known]
    witness = Witness(engine, nearness)
    with closing(engine), given.rows.open("a", encoding="utf-8") as file, ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, row in enumerate(pool.map(witness.row, todo), len(tasks) - len(todo) + 1):
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
            file.flush()
            print(f"\r{done} of {len(tasks)}", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
