"""What putting a question into the documents' language brings to the search for it.

    python -m evals.crossing FOLDER [--languages zh es de] [--questions 100]

FOLDER is that of the public data (docs/datasets.md). XQuAD's questions in another language are asked over its English
paragraphs, as found by their own words and as the product finds them for an answer. Prints a JSON line a language: how
often the right paragraph is among the passages of the prompt, with intervals, and the seconds that finding them took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from assistant import Assistant, Settings
from assistant.records import Hit, Retrieved
from evals import corpora, retrieval
from evals.records import Case
from evals.stats import mean_interval

SEED = 7
OWN, TRANSLATED = "in its own words", "as the product asks"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What translating questions brings to the search.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", nargs="+", default=["zh", "es", "de"])
    parser.add_argument("--questions", type=int, default=100)
    given = parser.parse_args(arguments)
    with Assistant.open(corpora.home(Settings())) as assistant:
        for language in given.languages:
            print(json.dumps(measured(assistant, language, given.folder, given.questions)), flush=True)


def measured(assistant: Assistant, language: str, folder: Path, questions: int) -> dict[str, object]:
    """The figures of one language."""
    loaded = retrieval.crossed(language, folder, questions, SEED)
    name = f"xquad_{language}_en"
    corpora.keep(assistant.ingest, assistant.settings.home, name, loaded, None)
    found: dict[str, list[float]] = {OWN: [], TRANSLATED: []}
    seconds: list[float] = []
    for done, case in enumerate(loaded.cases):
        print(f"{name}: {done} of {len(loaded.cases)} questions", file=sys.stderr, end="\r")
        found[OWN].append(_right(assistant.search(case.question, collection=name), case))
        started = time.perf_counter()
        found[TRANSLATED].append(_right(_shown(assistant, case.question, name), case))
        seconds.append(time.perf_counter() - started)
    groups = [" ".join(case.documents) for case in loaded.cases]
    return {
        "language": language,
        "questions": len(loaded.cases),
        **{way: [round(end, 3) for end in mean_interval(values, groups)] for way, values in found.items()},
        "seconds": round(statistics.median(seconds), 2),
    }


def _shown(assistant: Assistant, question: str, collection: str) -> tuple[Hit, ...]:
    """The passages of an answer that is not written."""
    events = assistant.stream(question, collection=collection)
    assert isinstance(events, Generator)
    with closing(events):
        return next(event.hits for event in events if isinstance(event, Retrieved))


def _right(hits: Sequence[Hit], case: Case) -> float:
    return float(any(hit.chunk.file in case.documents for hit in hits))


if __name__ == "__main__":
    main()
