"""Does keeping chunks' KV cells cost answers? The same questions with full prefill and with joined chunks.

    python -m evals.reuse SQUAD_FOLDER [--questions 200] [--modes exact,chunks] [--output FILE] [--cells FOLDER]

SQUAD_FOLDER has corpus.jsonl and questions.jsonl in the form of shared/evaldata/qa_abstain. Each answerable question,
drawn with a fixed seed, is asked over its gold paragraph and three others of the same article, in an order drawn with
the same seed. An answer is right when it contains a gold answer, case, articles and punctuation aside (the normal form
of SQuAD's evaluation script). Prints one JSON line a mode; a file given as --output keeps every answer, and a run that
was stopped goes on from it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from assistant import models
from assistant.engine import Done, Engine, Params, Piece
from assistant.prompt import Prompts
from assistant.records import Chunk, Hit
from assistant.runnables import to_messages, to_turns
from assistant.settings import Settings
from assistant.tuning import engine_config
from evals.nearness import Nearness

Mode = Literal["exact", "chunks"]
OTHERS = 3
SEED = 7


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    question: str
    answers: tuple[str, ...]
    hits: tuple[Hit, ...]


def cases(folder: Path, count: int) -> list[Case]:
    """`count` answerable questions with their paragraphs, the same in every run."""
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text("utf-8").splitlines()]
    answerable = [question for question in questions if not question["is_impossible"]]
    rng = random.Random(SEED)
    drawn = rng.sample(answerable, min(count, len(answerable)))
    return [_case(question, corpus, rng) for question in drawn]


def _case(question: dict[str, Any], corpus: Sequence[dict[str, Any]], rng: random.Random) -> Case:
    gold = next(paragraph for paragraph in corpus if paragraph["_id"] == question["gold"])
    article = [p for p in corpus if p["title"] == gold["title"] and p["_id"] != gold["_id"]]
    shown = [gold, *rng.sample(article, min(OTHERS, len(article)))]
    rng.shuffle(shown)
    return Case(question["_id"], question["text"], tuple(question["answers"]), tuple(map(hit, shown)))


def hit(paragraph: dict[str, Any]) -> Hit:
    """A paragraph of corpus.jsonl as what a search finds."""
    name, title, text = paragraph["_id"], paragraph["title"], paragraph["text"]
    return Hit(Chunk(name, name, text, 0, len(text), file=title, title=title), 0.0)


def right(answer: str, golds: Sequence[str]) -> bool:
    return any(_normal(gold) in _normal(answer) for gold in golds)


def _normal(text: str) -> str:
    text = re.sub(r"[^\w\s]", " ", text.lower())
    return " " + " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split()) + " "


def run(todo: Sequence[Case], mode: Mode, users: int, cells: Path | None = None) -> Iterator[dict[str, Any]]:
    """Answers each case; one result as soon as it is there. Chunks' KV is kept in the folder `cells`, or in memory."""
    settings, prompts = Settings(), Prompts(point=mode == "chunks")
    model = models.resolve(settings.models.llm, settings.models.folder)
    config = replace(engine_config(settings, model.sha256), reuse=mode, max_sequences=users, store=cells)
    config = replace(config, store_memory_bytes=2 << 30, store_disk_bytes=16 << 30)
    engine, nearness = Engine.open(model.paths["model"], config), Nearness.open(settings)

    def ask(case: Case) -> dict[str, Any]:
        hits = nearness.of(case.question, case.hits) if mode == "chunks" else case.hits
        prompt = prompts.build(case.question, (), hits, engine.count, engine.context_tokens - 64, 0)
        events = engine.generate(to_turns(to_messages(prompt.messages)), Params(max_tokens=64))
        text, done = "", None
        for event in events:
            if isinstance(event, Piece):
                text += event.text
            else:
                done = event
        assert isinstance(done, Done)
        return {
            "id": case.id,
            "mode": mode,
            "question": case.question,
            "answer": text,
            "gold": case.answers,
            "right": right(text, case.answers),
            "prompt_tokens": done.prompt_tokens,
            "cached_tokens": done.cached_tokens,
            "ttft_s": done.ttft_s,
        }

    try:
        with ThreadPoolExecutor(users) as pool:
            yield from pool.map(ask, todo)
    finally:
        engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--modes", default="exact,chunks")
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--cells", type=Path, help="a folder that keeps the chunks' KV for the next run")
    given = parser.parse_args()
    check(given.folder)
    known = {(row["mode"], row["id"]): row for row in kept(given.output)}
    for mode in given.modes.split(","):
        results = [known[mode, case.id] for case in cases(given.folder, given.questions) if (mode, case.id) in known]
        todo = [case for case in cases(given.folder, given.questions) if (mode, case.id) not in known]
        for result in run(todo, mode, given.users, given.cells):
            results.append(result)
            keep(given.output, result)
            print(f"{mode}: {len(results)} of {given.questions}", end="\r", file=sys.stderr)
        print(json.dumps(_summary(mode, results)))


def check(folder: Path) -> None:
    """Ends the program where there is no data set."""
    if not (folder / "questions.jsonl").is_file():
        sys.exit(f"{folder} has no questions.jsonl: give the folder of a data set in the uniform form.")


def kept(output: Path | None) -> list[dict[str, Any]]:
    """The results of the runs before, with which this one goes on."""
    if output is None or not output.is_file():
        return []
    return [json.loads(line) for line in output.read_text("utf-8").splitlines()]


def keep(output: Path | None, result: dict[str, Any]) -> None:
    """Adds a result as soon as it is there, where a file for it is given."""
    if output is not None:
        with output.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(result, ensure_ascii=False) + "\n")


def _summary(mode: str, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "mode": mode,
        "n": len(results),
        "right": sum(result["right"] for result in results),
        "accuracy": round(statistics.mean(result["right"] for result in results), 4),
        "prompt_tokens_median": statistics.median(result["prompt_tokens"] for result in results),
        "cached_share": round(sum(r["cached_tokens"] for r in results) / sum(r["prompt_tokens"] for r in results), 3),
    }


if __name__ == "__main__":
    main()
