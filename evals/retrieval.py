"""`assistant eval retrieval`: how well the product's own search finds what public data say is relevant. No language
model runs.

Each set is taken in as documents of the evaluation's home, where it stays, so that a second run only asks. Ranked are
documents, each at the place of its best chunk; for whole articles the chunks themselves, of which one is right when
it shows the answer's place. Beside the product's ways stands plain BM25 (Robertson and Zaragoza 2009) over the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from assistant import Settings
from assistant.errors import BadInput
from assistant.ingest import Ingest
from assistant.opening import cross_encoder
from assistant.pairs import CrossEncoder
from assistant.passages import before
from assistant.records import Chunk, OnProgress, Progress
from assistant.retrieve import Retriever
from evals import corpora, public, public_data
from evals.bm25 import Bm25
from evals.public import Loaded
from evals.public_data import Asked, Paragraph, corpus, drawn, kept, place, rows
from evals.records import Case, Score
from evals.scorers.gold import meets, places
from evals.scorers.retrieval import ranked
from evals.stats import Interval, mean_interval

K = 20  # chunks asked for: ten documents of them, as a rule
METRICS = ("R@1", "R@5", "R@10", "nDCG@10", "RR@10")
QUANTILES = {"p50": 0.5, "p95": 0.95}
WAYS = ("plain BM25", "words", "meaning", "fused", "reranked")
LAST_TURN = "reranked, last turn"
CROSS_ENCODER = "cross-encoder"  # "reranked" and then that, where the settings name one


@dataclass(frozen=True, slots=True)
class Set:
    """`data`: the data set that it is made of. `by_place`: gold is a place in a long document, not the document."""

    name: str
    data: str
    load: public.Load
    by_place: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A way of searching on one set: figures with their intervals, and milliseconds a question."""

    set: str
    way: str
    questions: int
    figures: Mapping[str, Interval]
    ms: Mapping[str, float] = field(default_factory=dict)


def paragraphs(folder: Path, limit: int | None, seed: int) -> Loaded:
    """SQuAD 2.0's answerable questions over all its paragraphs."""
    problems: list[str] = []
    found = rows(place(folder, "squad2", "corpus.jsonl"), Paragraph, problems)
    documents = corpus((row.id, row.text) for row in found)
    asked = rows(place(folder, "squad2", "questions.jsonl"), Asked, problems)
    asked = kept(asked, lambda row: row.gold in documents.files, "their paragraph is not there", problems)
    chosen = drawn((row for row in asked if not row.is_impossible), seed)[:limit]
    cases = tuple(Case(row.id, row.text, documents=(documents.files[row.gold],), group=row.gold) for row in chosen)
    return Loaded(cases, documents.texts, problems=tuple(problems))


def crossed(question: str, folder: Path, limit: int | None, seed: int) -> Loaded:
    """XQuAD's questions in one language over its English paragraphs."""
    english = public.xquad("en", folder, None, seed)
    gold = {case.id: case.documents for case in english.cases}
    asked = public.xquad(question, folder, limit, seed).cases
    cases = tuple(replace(case, documents=gold[case.id], spans=()) for case in asked if case.id in gold)
    return Loaded(cases, english.documents)


SETS = {
    one.name: one
    for one in (
        Set("scifact", "scifact", public.scifact),
        Set("nq_paragraphs", "nq_paragraphs", public.nq_paragraphs),
        Set("squad2_paragraphs", "squad2", paragraphs),
        Set("covidqa_long", "covidqa_long", public.covidqa_long, by_place=True),
        Set("mtrag", "mtrag", public.mtrag),
        *(Set(f"xquad_{code}", "xquad", partial(public.xquad, code)) for code in public.LANGUAGES),
        *(Set(f"xquad_{code}_en", "xquad", partial(crossed, code)) for code in public.LANGUAGES if code != "en"),
    )
}


def missing(name: str, data: Path) -> list[Path]:
    """Folders of public data that a set needs and that are not there."""
    folder = data / public_data.SETS[SETS[name].data].folder
    return [] if folder.exists() else [folder]


def measure(
    names: Sequence[str], data: Path, settings: Settings, limit: int | None, seed: int, progress: OnProgress | None
) -> Iterator[Row]:
    """Rows set by set. Raises BadInput for an unknown set, and for one whose data are not there; ModelMissing and
    ModelDamaged for a cross-encoder that the settings name.
    """
    if unknown := [name for name in names if name not in SETS]:
        raise BadInput(f"There is no set {unknown[0]!r}.", f"Sets: {', '.join(SETS)}.")
    settings = corpora.home(settings)
    with ExitStack() as opened:
        ingest = opened.enter_context(closing(Ingest.open(settings)))
        pairs = cross_encoder(settings, "reranker")
        if pairs:
            opened.enter_context(closing(pairs))
        for name in names:
            loaded = SETS[name].load(data, limit, seed)
            corpora.keep(ingest, settings.home, name, loaded, progress)
            yield from _Measured(SETS[name], ingest, loaded, pairs).rows(progress)


class _Measured:
    """One set in its collection, asked in every way."""

    def __init__(self, measured: Set, ingest: Ingest, loaded: Loaded, pairs: CrossEncoder | None) -> None:
        self._set = measured
        self._ingest = ingest
        self._pairs = pairs
        by_place = measured.by_place
        texts = corpora.texts(ingest, measured.name)
        cases = [case for case in loaded.cases if case.documents]
        self._cases = cases if by_place else [replace(case, spans=()) for case in cases]
        self._gold = {case.id: places(case, texts) for case in self._cases}
        self._texts = texts

    def rows(self, progress: OnProgress | None) -> Iterator[Row]:
        ways = self._ways()
        for done, (way, search) in enumerate(ways.items()):
            if progress:
                progress(Progress(f"Searching {self._set.name}", done, len(ways), "ways"))
            yield self._row(way, search)

    def _ways(self) -> dict[str, Callable[[Case], list[Chunk]]]:
        ingest, name = self._ingest, self._set.name
        both, reranked = (Retriever(ingest.embedder, ingest.index, ingest.library, flag) for flag in (False, True))

        def searched(retriever: Retriever, case: Case, last: bool = False) -> list[Chunk]:
            earlier = "" if last else before(case.history)
            return [hit.chunk for hit in retriever.search(name, case.question, K, before=earlier)]

        ways: dict[str, Callable[[Case], list[Chunk]]] = {
            "plain BM25": self._plain(),
            "words": lambda case: self._known(ingest.library.match(name, case.question, K)),
            "meaning": lambda case: self._known(
                ingest.index.search(name, ingest.embedder.embed([case.question])[0], K, ingest.embedder)
            ),
            "fused": partial(searched, both),
            "reranked": partial(searched, reranked),
        }
        if any(case.history for case in self._cases):
            ways[LAST_TURN] = partial(searched, reranked, last=True)
        if self._pairs:
            judged = Retriever(ingest.embedder, ingest.index, ingest.library, pairs=self._pairs)
            ways[CROSS_ENCODER] = partial(searched, judged)
        return ways

    def _plain(self) -> Callable[[Case], list[Chunk]]:
        """BM25 over whole documents, or over the chunks where gold is a place."""
        library, name = self._ingest.library, self._set.name
        if self._set.by_place:
            chunks = list(library.chunks(name, library.chunk_ids(name)).values())
        else:
            chunks = [
                Chunk(document_id, document_id, text, 0, len(text), file=file)
                for file, of_name in self._texts.items()
                for document_id, text in of_name.items()
            ]
        index = Bm25([chunk.text for chunk in chunks])
        return lambda case: [chunks[number] for number in index.best(case.question, K)]

    def _known(self, scores: Mapping[str, float]) -> list[Chunk]:
        chunks = self._ingest.library.chunks(self._set.name, scores)
        return [chunks[name] for name in scores if name in chunks]

    def _row(self, way: str, search: Callable[[Case], list[Chunk]]) -> Row:
        search(self._cases[0])  # what is loaded at the first question is no part of the time
        run, times = {}, []
        for case in self._cases:
            started = time.perf_counter()
            found = search(case)
            times.append((time.perf_counter() - started) * 1000)
            run[case.id] = self._names(case, found)
        scores = ranked(run, {case.id: dict.fromkeys(self._gold[case.id], 1) for case in self._cases})
        figures = {metric: self._figure(scores, metric) for metric in METRICS}
        quantiles = {name: round(float(np.quantile(times, q)), 1) for name, q in QUANTILES.items()}
        return Row(self._set.name, way, len(self._cases), figures, quantiles)

    def _figure(self, scores: Mapping[str, Mapping[str, Score]], metric: str) -> Interval:
        known = [(value, case.group) for case in self._cases if (value := scores[case.id][metric].value) is not None]
        return mean_interval([value for value, _ in known], [group for _, group in known])

    def _names(self, case: Case, chunks: Sequence[Chunk]) -> list[str]:
        """The ranking's documents; where gold is a place, a chunk that does not show it is a document of its own."""
        if not self._set.by_place:
            return [chunk.file for chunk in chunks]
        gold = self._gold[case.id]
        return [chunk.file if meets(gold, asdict(chunk)) else f"/{chunk.id}" for chunk in chunks]


def lines(found: Sequence[Row]) -> list[str]:
    """A table of Markdown: figures in percent, each with its interval's half width, at 0 and 100 with its ends."""
    head = ("set", "way", "questions", *METRICS, *(f"ms {name}" for name in QUANTILES))
    body = [
        (
            row.set,
            row.way,
            str(row.questions),
            *(_told(row.figures[metric]) for metric in METRICS),
            *(f"{row.ms[name]:.0f}" for name in QUANTILES),
        )
        for row in found
    ]
    return [f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *body)]


def to_json(found: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in found]


def _told(interval: Interval) -> str:
    value, low, high = interval
    if value in (0, 1):
        return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * value:.1f} ±{50 * (high - low):.1f}"
