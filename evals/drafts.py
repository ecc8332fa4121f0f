"""Do guessed tokens pay? The same answers written with 0, 1, ... guesses a step.

    python -m evals.drafts SQUAD_FOLDER [--questions 20] [--most 4]

The questions are those of evals.reuse. Each prompt is read once; then its answer is written with every number of
guesses, one after the other. Prints one JSON line a number: tokens a second over all answers, which share of the
guesses was right, and how many answers read otherwise than without guesses (0, but for rounding: a step of another
width rounds otherwise).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from assistant import models
from assistant.engine import Done, Engine, Params, Piece, Turn
from assistant.prompt import Prompts
from assistant.runnables import to_messages, to_turns
from assistant.settings import Settings
from assistant.tuning import engine_config
from evals.reuse import Case, cases

LONGEST = 64  # tokens of an answer


def write(engine: Engine, turns: list[Turn], guesses: int) -> tuple[str, Done]:
    """One answer with at most `guesses` guessed tokens a step."""
    text = ""
    for event in engine.generate(turns, Params(max_tokens=LONGEST, guesses=guesses)):
        if isinstance(event, Piece):
            text += event.text
        else:
            done = event
    return text, done


def measure(engine: Engine, questions: list[Case], most: int) -> list[dict[str, float]]:
    """One row for each number of guesses."""
    prompts = Prompts()
    results: list[list[tuple[str, Done]]] = [[] for _ in range(most + 1)]
    for case in questions:
        prompt = prompts.build(case.question, (), case.hits, engine.count, engine.context_tokens - LONGEST, 0)
        turns = to_turns(to_messages(prompt.messages))
        write(engine, turns, 0)  # reads the prompt
        for guesses in range(most + 1):
            results[guesses].append(write(engine, turns, guesses))
    plain = [text for text, _ in results[0]]
    return [_row(guesses, answers, plain) for guesses, answers in enumerate(results)]


def _row(guesses: int, answers: list[tuple[str, Done]], plain: list[str]) -> dict[str, float]:
    timed = [done for _, done in answers if done.decode_tok_s > 0]
    seconds = sum((done.completion_tokens - 1) / done.decode_tok_s for done in timed)
    guessed = sum(done.guessed_tokens for done in timed)
    return {
        "guesses": guesses,
        "decode_tok_s": round(sum(done.completion_tokens - 1 for done in timed) / seconds, 2),
        "right": round(sum(done.guessed_right for done in timed) / guessed, 3) if guessed else 0.0,
        "other_texts": sum(text != known for (text, _), known in zip(answers, plain, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--most", type=int, default=4)
    given = parser.parse_args()
    settings = Settings()
    model = models.resolve(settings.models.llm, settings.models.folder)
    config = replace(engine_config(settings, model.sha256), reuse="exact", store=None, draft_tokens=given.most)
    engine = Engine.open(model.paths["model"], config)
    try:
        for row in measure(engine, cases(given.folder, given.questions), given.most):
            print(json.dumps(row), flush=True)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
