"""Which size of chunks pays? The same questions over the same documents, cut in several ways.

    python -m evals.chunking [--data FOLDER] [--set covidqa_long] [--cuts 500,1000,1000+150] [--limit 500]

More of small chunks fit into a prompt, so the ways are compared at the same numbers of prompt tokens: the product's
search gives hits, its prompt takes of them what fits, and it is asked how much of the gold is in them. In covidqa_long
and seeds the gold is a place, which must be there whole, in one chunk or in neighbours; in sec10q it is the figures of
the reference answer that stand in the right files (a filing has no places named), of which the share counts. Each way
is a collection of the evaluation's home, so that a second run only asks. No language model runs; tokens are those of
the one in the settings. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import llama_cpp
import numpy as np

from assistant import Settings, models
from assistant.errors import QuestionTooLong
from assistant.ingest import Ingest
from assistant.prompt import Prompts
from assistant.records import Hit
from assistant.retrieve import Retriever
from evals import corpora, public, suites
from evals.public import Loaded
from evals.records import Case, Texts
from evals.scorers.gold import Place, places
from evals.stats import paired_interval

SETS: dict[str, public.Load] = {
    "covidqa_long": public.covidqa_long,
    "sec10q": public.sec10q,
    "seeds": lambda data, limit, seed: suites.named("seeds").load(suites.Sources(data), limit, seed),
}
CUTS = ("1000", "500", "700", "1400", "2000", "1000+150")
PROMPTS = (600, 1200, 2200)  # tokens of whole prompts; the default k of 4 makes about 1,200 at 1,000 characters
HITS = 24  # asked for: more than fit into the longest prompt
_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+")  # no plain numbers: they are mostly dates
Count = Callable[[str], int]
Gold = Callable[[Sequence[Hit]], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to cut one set: tokens of its chunks (median, 95%, most), and what is shown in so many of prompt."""

    set: str
    cut: str
    questions: int
    chunks: int
    tokens: tuple[int, int, int]
    shown: Mapping[int, Sequence[float]]  # a value a question
    hits: Mapping[int, float]


def measure(
    names: Sequence[str], cuts: Sequence[str], data: Path, settings: Settings, limit: int | None
) -> Iterator[Row]:
    """Rows set by set."""
    settings = corpora.home(settings)
    count = counter(settings)
    for name in names:
        loaded = SETS[name](data, limit, 0)
        for cut in cuts:
            longest, _, overlap = cut.partition("+")
            chosen = {"max_chars": int(longest), "overlap_chars": int(overlap or 0)}
            sized = settings.model_copy(update={"chunks": settings.chunks.model_copy(update=chosen)})
            with closing(Ingest.open(sized)) as ingest:
                collection = f"{name}-{longest}-{overlap or 0}"
                corpora.keep(ingest, settings.home, collection, loaded, None)
                yield _row(name, cut, collection, ingest, loaded, count)


def counter(settings: Settings) -> Count:
    """How many tokens of the language model a text has; only its vocabulary is loaded."""
    model = models.resolve(settings.models.llm, settings.models.folder)
    vocabulary = llama_cpp.Llama(str(model.paths["model"]), vocab_only=True, verbose=False)
    return lru_cache(100_000)(lambda text: len(vocabulary.tokenize(text.encode(), add_bos=False)))


def _row(name: str, cut: str, collection: str, ingest: Ingest, loaded: Loaded, count: Count) -> Row:
    texts = corpora.texts(ingest, collection)
    gold = {case.id: found for case in loaded.cases if (found := _gold(name, case, texts))}
    asked = [case for case in loaded.cases if case.id in gold]
    retriever, prompts = Retriever(ingest.embedder, ingest.index, ingest.library), Prompts()
    shown: dict[int, list[float]] = {budget: [] for budget in PROMPTS}
    fitted: dict[int, list[int]] = {budget: [] for budget in PROMPTS}
    for case in asked:
        hits = retriever.search(collection, case.question, HITS)
        for budget in PROMPTS:
            fitting = _fitting(prompts, case.question, hits, count, budget)
            shown[budget].append(gold[case.id](fitting))
            fitted[budget].append(len(fitting))
    chunks = ingest.library.chunks(collection, ingest.library.chunk_ids(collection)).values()
    sizes = [count(chunk.text) for chunk in chunks]
    return Row(
        name,
        cut,
        len(asked),
        len(sizes),
        (int(np.median(sizes)), int(np.quantile(sizes, 0.95)), max(sizes)),
        shown,
        {budget: float(np.mean(values)) for budget, values in fitted.items()},
    )


def _fitting(prompts: Prompts, question: str, hits: Sequence[Hit], count: Count, budget: int) -> tuple[Hit, ...]:
    try:
        return prompts.build(question, (), hits, count, budget, 0).hits
    except QuestionTooLong:  # not even the best hit fits
        return ()


def _gold(name: str, case: Case, texts: Texts) -> Gold | None:
    """How much of the gold hits show, 0 to 1; None where there is no gold."""
    if name == "sec10q":
        told = [text for file in case.documents for text in texts.get(file, {}).values()]
        stated = {figure for text in told for figure in _FIGURE.findall(text)}
        wanted = set(_FIGURE.findall(case.reference)) & stated
        return (lambda hits: _figures(wanted, set(case.documents), hits)) if wanted else None
    spots = [(spot, texts[file][spot.document_id]) for file, found in places(case, texts).items() for spot in found]
    return (lambda hits: float(any(_whole(spot, text, hits) for spot, text in spots))) if spots else None


def _figures(wanted: set[str], files: set[str], hits: Sequence[Hit]) -> float:
    told = {figure for hit in hits if hit.chunk.file in files for figure in _FIGURE.findall(hit.chunk.text)}
    return len(wanted & told) / len(wanted)


def _whole(spot: Place, text: str, hits: Sequence[Hit]) -> bool:
    """Whether all of a place but white space is in the hits."""
    at = spot.start
    chunks = [hit.chunk for hit in hits if hit.chunk.document_id == spot.document_id]
    for start, end in sorted((chunk.start, chunk.end) for chunk in chunks):
        if text[at : max(at, start)].strip():
            return at >= spot.end
        at = max(at, end)
    return at >= spot.end


def lines(found: Sequence[Row]) -> list[str]:
    """A table of Markdown; behind each share how it differs, by questions, from that of the set's first cut."""
    first = {row.set: row for row in reversed(found)}
    head = (
        "set",
        "cut",
        "questions",
        "chunks",
        "tokens p50",
        "p95",
        "most",
        *(f"shown in {one:,}" for one in PROMPTS),
    )
    body = [
        (
            row.set,
            row.cut,
            str(row.questions),
            f"{row.chunks:,}",
            *map(str, row.tokens),
            *(_told(row, first[row.set], one) for one in PROMPTS),
        )
        for row in found
    ]
    return [f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *body)]


def _told(row: Row, first: Row, budget: int) -> str:
    share = 100 * np.mean(row.shown[budget])
    if row is first:
        return f"{share:.1f} ({row.hits[budget]:.1f} hits)"
    value, low, high = paired_interval(first.shown[budget], row.shown[budget])
    return f"{share:.1f} ({row.hits[budget]:.1f} hits; {100 * value:+.1f} ±{50 * (high - low):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=suites.DATA)
    parser.add_argument("--set", action="append", choices=SETS, help="several times for several; all by default")
    parser.add_argument("--cuts", default=",".join(CUTS), help="longest chunk in characters, and +OVERLAP")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = []
    for row in measure(given.set or list(SETS), given.cuts.split(","), given.data, Settings(), given.limit):
        found.append(row)
        print(json.dumps(asdict(row)) if given.json else lines([row])[-1], flush=True)
    if not given.json:
        print("\n" + "\n".join(lines(found)))


if __name__ == "__main__":
    main()
