"""Answer sentences tied to exact spans of the hits. Pure: no model is asked.

A source sentence is scored by how much of the answer sentence it carries: the share of the answer's terms that it has,
each term weighted by its rarity among the hits (inverse document frequency, Spärck Jones 1972) and numbers counting
most. Markers that the model writes are ignored: it writes them seldom and without care.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant import sentences
from assistant.languages import foreign
from assistant.records import Citation, Hit, Span
from assistant.terms import readings, terms

ENOUGH = 0.5  # share of an answer sentence's weight that a span must carry to be cited
_ALIKE = 0.9  # spans of other documents this close to the best one are cited beside it
_MOST = 3  # citations of one sentence
_PART = 0.25  # of a sentence's weight that is worth a span of its own
_WORDS = 60  # different terms of the hits, by which their language can be told
_NAMES = 3  # terms of a sentence in another language that place it without a number
_NUMBER_WEIGHT = 3.0
_RESTATED_WEIGHT = 0.3  # of the question's own terms: what an answer adds to them is what a source has to carry
_QUESTION_WEIGHT = 0.25  # the question's terms only decide between spans that fit the answer equally well


@dataclass(frozen=True, slots=True)
class Candidate:
    """One or two neighbouring sentences of a hit, as offsets into the document."""

    hit: Hit
    span: Span
    terms: frozenset[str]
    about: frozenset[str]  # terms of the document's publisher, and of the headings above the chunk
    joined: bool  # two sentences

    @property
    def quote(self) -> str:
        chunk = self.hit.chunk
        return chunk.text[self.span.start - chunk.start : self.span.end - chunk.start]

    @property
    def above(self) -> str:
        """What stands before it in its chunk."""
        return self.hit.chunk.text[: self.span.start - self.hit.chunk.start]


class Citer:
    """Finds citations for the sentences of one answer over one list of hits.

    Citations are numbered in the order of their first use; the same span keeps its number.
    """

    def __init__(self, question: str, hits: Sequence[Hit]) -> None:
        self._candidates = [candidate for hit in hits for candidate in _candidates(hit)]
        self._weights = _weights(self._candidates)
        self._sources = len(hits)
        self._text = "\n".join(hit.chunk.text for hit in hits)
        self._question = terms(question)
        self._numbers: dict[tuple[str, int, int], Citation] = {}

    @property
    def sources(self) -> int:
        """How many hits there are, and so the greatest number that a marker of the model's can mean."""
        return self._sources

    @property
    def candidates(self) -> Sequence[Candidate]:
        """All spans that can be cited, in the order of the hits."""
        return self._candidates

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All citations made so far, by number."""
        return tuple(self._numbers.values())

    def cite(self, candidates: Sequence[Candidate]) -> tuple[Citation, ...]:
        """Citations of what `find` found, numbered when they are first used."""
        return tuple(map(self._citation, candidates))

    def find(self, sentence: str) -> tuple[Candidate, ...]:
        """The spans that carry an answer sentence, the best first; empty where none carries enough of it."""
        wanted = self._wanted(sentence)
        if not wanted:
            return ()
        scored = sorted(
            ((self._score(wanted, candidate), number) for number, candidate in enumerate(self._candidates)),
            key=lambda pair: (-pair[0], pair[1]),
        )
        return tuple(self._choose(scored, wanted))

    def rest(self, sentence: str, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """One more span, where those that `find` found leave a good part of the sentence to it: it carries enough of
        that part, more than a word of it, and all of it or something of the sentence besides.
        """
        wanted = self._wanted(sentence)
        left = wanted.difference(*(one.terms | one.about for one in found))
        if not found or len(found) == _MOST or self._weigh(left) < _PART * self._weigh(wanted):
            return ()
        other = max(self._candidates, key=lambda one: (self._share(left, one.terms), -len(one.terms)))
        had = left & other.terms
        fits = self._share(left, had) >= ENOUGH and (had == left or (wanted - left) & other.terms)
        return (other,) if len(had) > 1 and fits else ()

    def _wanted(self, sentence: str) -> frozenset[str]:
        """The terms that a span has to carry. In another language than the hits' these are the numbers and names that
        both write alike, if a number is among them or there are several: one name would be carried by too much.
        """
        wanted = terms(sentence)
        if len(self._weights) < _WORDS or not foreign(sentence, self._text):
            return wanted
        alike = frozenset(term for term in wanted if term in self._weights or term[0].isdigit())
        return alike if len(alike) >= _NAMES or any(term[0].isdigit() for term in alike) else frozenset()

    def _choose(self, scored: Sequence[tuple[float, int]], wanted: frozenset[str]) -> Iterator[Candidate]:
        """Of the spans that carry enough, the best one and those of other documents that say the same."""
        documents: set[str] = set()
        carrying = [pair for pair in scored if self._carried(wanted, self._candidates[pair[1]]) >= ENOUGH]
        for score, number in carrying:
            candidate = self._candidates[number]
            if score < _ALIKE * carrying[0][0] or len(documents) == _MOST:
                return
            if candidate.hit.chunk.document_id not in documents:
                documents.add(candidate.hit.chunk.document_id)
                yield candidate

    def _score(self, wanted: frozenset[str], candidate: Candidate) -> float:
        length = len(candidate.terms) / 1000  # of equal spans the shorter is the better quote
        # two sentences have to earn it by carrying more of the answer, not of the question
        asked = 0.0 if candidate.joined else self._share(self._question - wanted, candidate.terms)
        return self._carried(wanted, candidate) + _QUESTION_WEIGHT * asked - length

    def _carried(self, wanted: frozenset[str], candidate: Candidate) -> float:
        """Share of the sentence's weight that the candidate carries, 0 to 1.

        "According to Xinhua, ..." is carried by what Xinhua published, but its name alone carries nothing.
        """
        if not wanted & candidate.terms:
            return 0.0
        return self._share(wanted, candidate.terms | candidate.about)

    def _share(self, wanted: frozenset[str], has: frozenset[str]) -> float:
        total = self._weigh(wanted)
        return self._weigh(wanted & has) / total if total else 0.0

    def _weigh(self, terms: frozenset[str]) -> float:
        return math.fsum(map(self._weight, terms))  # whatever their order, which differs from process to process

    def _weight(self, term: str) -> float:
        rarity = self._weights.get(term, self._weights[""])
        restated = _RESTATED_WEIGHT if term in self._question else 1.0
        return rarity * restated * (_NUMBER_WEIGHT if term[0].isdigit() else 1.0)

    def _citation(self, candidate: Candidate) -> Citation:
        chunk, span = candidate.hit.chunk, candidate.span
        key = (chunk.document_id, span.start, span.end)
        if key not in self._numbers:
            self._numbers[key] = Citation(
                n=len(self._numbers) + 1,
                document_id=chunk.document_id,
                file=chunk.file,
                title=chunk.title,
                publisher=chunk.publisher,
                date=chunk.date,
                page=chunk.page,
                start=span.start,
                end=span.end,
                quote=candidate.quote,
            )
        return self._numbers[key]


def _candidates(hit: Hit) -> Iterator[Candidate]:
    """Each sentence of a hit, and each two neighbours."""
    chunk = hit.chunk
    spans = sentences.spans(chunk.text)
    about = terms(f"{chunk.publisher or ''} {chunk.section or ''}")
    pairs = [Span(a.start, b.end) for a, b in pairwise(spans)]
    for span in [*spans, *pairs]:
        text = chunk.text[span.start : span.end]
        at = Span(chunk.start + span.start, chunk.start + span.end)
        yield Candidate(hit, at, terms(text) | readings(text), about, span in pairs)


def _weights(candidates: Sequence[Candidate]) -> dict[str, float]:
    """Weight by rarity of each term; under "" that of a term which occurs nowhere."""
    counts = Counter(term for candidate in candidates for term in candidate.terms)
    n = len(candidates)
    return {term: math.log1p(n / count) for term, count in counts.items()} | {"": math.log1p(n + 1)}
