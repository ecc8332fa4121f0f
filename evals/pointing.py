"""How often do the likely sentences that stand beside a question hold its answer? No language model is asked.

    python -m evals.pointing SQUAD_FOLDER [--questions 600]

The questions, their four paragraphs and what counts as an answer are those of `evals.reuse`. Sentences are chosen by
shared terms alone, by the comparison token by token alone, and by both as the product does. Prints a JSON line a way:
how many questions have an answer in their sentences, and how many characters these have in the mean, which every
question computes anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from assistant import passages
from assistant.settings import Settings
from evals.nearness import Nearness
from evals.reuse import Case, cases, check, right

WAYS = {"terms": 0.0, "both": passages.ALIKE, "tokens": 1.0}


def measure(asked: Sequence[Case], share: float) -> dict[str, float]:
    """With what the comparison token by token counts."""
    passages.ALIKE = share
    shown = [" ".join(one.text for one in passages.nearest(case.question, case.hits)) for case in asked]
    return {
        "n": len(asked),
        "held": sum(right(text, case.answers) for text, case in zip(shown, asked, strict=True)),
        "characters": round(statistics.mean(map(len, shown)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=600)
    given = parser.parse_args()
    check(given.folder)
    nearness = Nearness.open(Settings())
    asked = [
        Case(case.id, case.question, case.answers, tuple(nearness.of(case.question, case.hits)))
        for case in cases(given.folder, given.questions)
    ]
    for name, share in WAYS.items():
        print(json.dumps({"way": name, **measure(asked, share)}))


if __name__ == "__main__":
    main()
