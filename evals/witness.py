"""What the language model says of sentences that people, or a gold answer, have judged: what `check.json` is made of.

    python -m evals.witness FOLDER ROWS.jsonl [--questions 120] [--claims 80]

FOLDER holds the data sets of docs/datasets.md. Each line of ROWS is a sentence, the texts it is held against, whether
they support it, and the model's log odds that they state it, asked exactly as an answer's sentences are
(`prompts/stated.txt`, over joined chunks where `engine.reuse` has them). There are two kinds:

- answers: the model's first sentence to questions of SQuAD 2.0, half of them unanswerable, over their paragraph and
  three others; supported is one that has a gold answer. The questions are drawn with a seed of their own, and those
  that the suite `squad2` asks by default are left out.
- claims: those of `evals.claims`, over the passages of their text that share most with them.

Lines that are there already are kept, so a run that was stopped goes on. Takes 3 to 8 s a line on two cores.
"""

from __future__ import annotations

import argparse
import json
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
from evals.checker import said
from evals.public import squad2
from evals.records import Case, Claim
from evals.scorers.normal import holds

SEED = 20251
_ASKED = 400  # of the suite `squad2` with its own seed, none of which is taken
ANSWERS = "answers"
_HITS = 4
_CHUNK = 1000  # characters
_SENTENCES = 3  # of a claim, at most
_LONGEST = 96  # tokens of an answer


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


class Witness:
    """A model that is asked as the product asks it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prompts = Prompts(point=True)

    def answer(self, case: Case) -> Row:
        """A row of the first sentence that the model answers."""
        hits = [_hit(given.file, given.text) for given in case.given]
        prompt = self._prompt(case.question, hits)
        events = self._engine.generate(to_turns(to_messages(prompt.messages)), Params(max_tokens=_LONGEST))
        text = "".join(event.text for event in events if isinstance(event, Piece)).strip()
        first = next((text[span.start : span.end] for span in spans(text)), text)
        right = bool(case.answerable) and any(holds(first, gold) for gold in case.answers)
        return self._row(case.id, ANSWERS, case.question, (first,), prompt, right)

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


def work(folder: Path, questions: int, claims: int) -> Iterator[Case | Claim]:
    """Cases and claims in turn, so that a run that is stopped has some of each. Raises BadInput."""
    asked = {case.id for case in squad2(folder, _ASKED, 0).cases}
    cases = [case for case in squad2(folder, None, SEED).cases if case.id not in asked][:questions]
    sets = [judged.read(folder, name, claims, SEED)[0] for name in judged.NAMES if name != "halueval"]
    sets.append(judged.swapped(folder, claims, SEED))
    for place in range(max(questions, claims)):
        yield from cases[place : place + 1]
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
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--claims", type=int, default=80)
    given = parser.parse_args()
    settings = Settings()
    try:
        todo = list(work(given.folder, given.questions, given.claims))
        model = models.resolve(settings.models.llm, settings.models.folder, "llm")
        config = replace(engine_config(settings, model.sha256), store=None)  # no text comes twice
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
