"""Questions to ranked chunks: nearest by meaning and nearest by words, fused, and the best of them compared token by
token, and by a cross-encoder where the user has one.

The kinds of score have no common scale, so each is divided by its maximum. Only chunks that the library says count are
given, as it knows them: the state of a document before a change or after it. docs/lab.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from itertools import islice
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant import boilerplate, hints, late, likeness
from assistant.embedder import Embedder, Vectors
from assistant.errors import EmptyCollection, StorageError
from assistant.index import Index
from assistant.library import Library
from assistant.pairs import CrossEncoder
from assistant.records import Chunk, Hit, Span, headed, owner
from assistant.where import NAMES, Where, folded, nearest

POOL = 100  # candidates that each side gives, at least
PER_HIT = 4  # and for each hit asked for: some do not count any more, and equal texts appear once
ATTEMPTS = 3  # how often a search is repeated when the collection changes meanwhile
RERANKED = 30  # different ones of the fused candidates, compared token by token, and as many of their near repeats
WIDE = 1600  # a pool of this many is not widened for more than the hits asked for
TOKENS = 0.6  # what that comparison counts; the rest is the fused score
JUDGED = 0.8  # what a cross-encoder's score counts after that; the rest is the score before
PAIRS = 10  # that a cross-encoder reads for a question: some 130 ms on two cores (docs/lab.md)
SPREAD = 4.0  # log odds between a chunk and the best one with which it gets the e-th part of the best one's score
HINTED = 0.1  # what it counts that a document is of the date, or by the publisher, that the question names
REPEATED = 0.5  # what a chunk loses that consists of lines that many documents have; of others their share of it
BEFORE = 0.4  # what the question before counts where this one alone finds nothing like it
# Between these cosines of the question and its nearest chunk the question before counts less and less. Measured with
# all-MiniLM-L6-v2; another model may need others.
LOST, SURE = 0.3, 0.6
AMPLE = 1.5  # times as many chunks are ranked as would by chance hold enough of the documents that are meant
DEARER = 5  # a chunk more to be ranked among all costs as much as so many that are compared one by one (docs/lab.md)
_LEAST = 1e-9  # instead of a division by nothing


class _Look(Protocol):
    """Gives the `n` best chunks of a side, in these documents; None: in all."""

    def __call__(self, *, n: int, documents: Collection[str] | None = None) -> dict[str, float]: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it is searched for: its words, its vector and those of its tokens."""

    text: str
    vector: Vectors
    tokens: Vectors


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to look: in a collection, in these documents of it; None: in all."""

    collection: str
    documents: frozenset[str] | None = None
    chunks: int = 0  # of these documents; 0 too where another process has just removed them
    all_chunks: int = 0  # of the collection


class Retriever:
    """Searches one HOME's collections. Safe to use from several threads. It owns the `pairs`, where there are any."""

    def __init__(
        self,
        embedder: Embedder,
        index: Index,
        library: Library,
        rerank: bool = True,
        pairs: CrossEncoder | None = None,
    ) -> None:
        self._embedder = embedder
        self._index = index
        self._library = library
        self._rerank = rerank
        self._pairs = pairs

    def close(self) -> None:
        if self._pairs:
            self._pairs.close()

    def search(
        self,
        collection: str,
        question: str,
        k: int,
        *,
        before: str = "",
        where: Where | None = None,
        near: bool = False,
    ) -> list[Hit]:
        """The `k` best chunks for a question, best first; fewer only where there are fewer different texts.

        `before` is the question before it in a conversation: where this one is unlike anything there is, it is taken
        for one that goes on from that. With `near` each hit tells how like the question its sentences are, where they
        can be compared. Raises UnknownCollection, EmptyCollection, EmbedderMismatch, StorageError.
        """
        texts = [question, before] if before else [question]
        vectors, tokens = self._embedder.read(texts)
        asked = [_Asked(*parts) for parts in zip(texts, vectors, tokens, strict=True)]
        for _ in range(ATTEMPTS):
            generation = self._library.generation(collection)
            hits = self._hits(self._place(collection, where), asked, k, near)
            if self._library.generation(collection) == generation:
                break
        return hits

    def _place(self, collection: str, where: Where | None) -> _Place:
        """Raises EmptyCollection."""
        if not self._library.count(collection):
            raise EmptyCollection(
                f"The collection {collection} has no documents.", f"`assistant ingest PATH --collection {collection}`."
            )
        if not where:
            return _Place(collection)
        chosen, chunks, all_chunks = self._library.fitting(collection, where)
        if not chosen:
            raise EmptyCollection(
                f"The collection {collection} has no documents with {where}.", self._near(collection, where)
            )
        return _Place(collection, frozenset(chosen), chunks, all_chunks)

    def _near(self, collection: str, where: Where) -> str:
        """What to do where nothing fits: names that are nearly those asked for."""
        near = [
            f"{key}={name}"
            for key in NAMES
            if (wanted := getattr(where, key))
            for name in nearest(wanted, self._library.names(collection, key))
            if folded(name) != folded(wanted)
        ]
        meant = f"Nearly so called: {'; '.join(near)}. " if near else ""
        return f"{meant}`assistant documents list` shows what is known of each."

    def _hits(self, place: _Place, asked: Sequence[_Asked], k: int, near: bool) -> list[Hit]:
        pool = max(POOL, PER_HIT * k)
        lines = self._library.boilerplate(place.collection)
        while True:
            scores, weights, exhausted = self._scores(place, asked, pool)
            chunks = self._library.chunks(place.collection, scores)
            publishers = {chunk.publisher for chunk in chunks.values() if chunk.publisher}
            wanted = hints.read(asked[0].text, publishers, [chunk.text for chunk in chunks.values()])
            hinted = {name: scores[name] + HINTED * wanted.meets(chunk) for name, chunk in chunks.items()}
            wide = max(k, RERANKED if self._rerank else 0)
            hits: list[Hit] = []
            groups = likeness.groups(map(_own_text, _kept(_distinct(chunks, hinted, lines), hits)), wide)
            if exhausted or len(set(groups)) >= (k if pool >= WIDE else wide):
                known = {hit.chunk.id: group for hit, group in zip(hits, groups, strict=False)}
                comparable = self._rerank and all(late.comparable(one.text) for one in asked)
                chosen = _compared(groups) if comparable else []
                varied = _varied(self._reranked(place.collection, asked, weights, hits, chosen), known)
                found = self._judged(asked, weights, varied)[:k]
                return self._with_likeness(place.collection, asked, weights, found) if near and comparable else found
            pool *= 4

    def _scores(self, place: _Place, asked: Sequence[_Asked], pool: int) -> tuple[dict[str, float], list[float], bool]:
        """Chunk id to score, what each question counts, and whether a greater pool would bring nothing new."""
        near, shared = self._sides(place, asked[0], pool)
        scores = fuse(near, shared, pool)
        doubt = min(1.0, max(0.0, (SURE - max(near.values())) / (SURE - LOST)))
        weights = [1.0, *(BEFORE * doubt for _ in asked[1:])]
        for earlier, weight in zip(asked[1:], weights[1:], strict=True):
            if weight:
                for name, score in fuse(*self._sides(place, earlier, pool), pool).items():
                    scores[name] = scores.get(name, 0.0) + weight * score
        return scores, weights, len(near) < pool and len(shared) < pool

    def _sides(self, place: _Place, asked: _Asked, pool: int) -> tuple[dict[str, float], dict[str, float]]:
        """The chunks nearest by meaning, and those that share words."""
        name = place.collection
        nearest = partial(self._index.search, name, asked.vector, embedder=self._embedder)
        near = self._best(place, pool, nearest, exact=False)
        if not near:
            raise StorageError(
                f"The index has no chunks of the collection {place.collection}, though there are documents.",
                "Run `assistant ingest` on any of your folders: it is made again from the stored texts.",
            )
        return near, self._best(place, pool, partial(self._library.match, name, asked.text), exact=True)

    def _best(self, place: _Place, pool: int, look: _Look, exact: bool) -> dict[str, float]:
        """The `pool` best of one side in the documents that are meant.

        Those of few are compared one by one. Where many are meant it is quicker to rank more of all chunks and leave
        out others', unless too few are left. An `exact` side gives fewer than asked for only where there are no more.
        """
        if place.documents is None:
            return look(n=pool)
        wider = ceil(AMPLE * pool * place.all_chunks / max(1, place.chunks))
        if DEARER * wider < place.chunks:
            found = look(n=wider)
            kept = {name: score for name, score in found.items() if owner(name) in place.documents}
            if len(kept) >= pool or (exact and len(found) < wider):
                return dict(islice(kept.items(), pool))
        return look(n=pool, documents=place.documents)

    def _reranked(
        self,
        collection: str,
        asked: Sequence[_Asked],
        weights: Sequence[float],
        hits: Sequence[Hit],
        chosen: Sequence[int],
    ) -> list[Hit]:
        """The hits at the `chosen` places in the order of both scores; the others after them."""
        first = [hits[place] for place in chosen]
        codes = self._codes(collection, [hit.chunk for hit in first])
        alike = np.zeros(len(first))
        for one, weight in zip(asked, weights, strict=True):
            if weight and first:
                met = np.maximum(0.0, late.likeness(one.tokens, codes))
                alike += weight * met / max(met.max(), _LEAST)
        return _reordered(hits, chosen, alike, TOKENS)

    def _judged(self, asked: Sequence[_Asked], weights: Sequence[float], hits: Sequence[Hit]) -> list[Hit]:
        """The first of the hits in the order of their scores and a cross-encoder's; the others after them.

        Where a question before counts too, both are read with half as many chunks: the time is the same.
        """
        questions = [(one.text, weight) for one, weight in zip(asked, weights, strict=True) if weight]
        first = hits[: PAIRS // len(questions)] if self._pairs and self._rerank else []
        if not self._pairs or len(first) < 2:
            return list(hits)
        odds = self._pairs.scores([(question, _titled(hit.chunk)) for question, _ in questions for hit in first])
        alike = np.zeros(len(first))
        for (_, weight), one in zip(questions, odds.reshape(len(questions), -1), strict=True):
            alike += weight * np.exp((one - one.max()) / SPREAD)
        return _reordered(hits, range(len(first)), alike, JUDGED)

    def _with_likeness(
        self, collection: str, asked: Sequence[_Asked], weights: Sequence[float], hits: Sequence[Hit]
    ) -> list[Hit]:
        """The hits with how like the questions each of their sentences is."""
        chunks = [hit.chunk for hit in hits]
        codes, places = self._codes(collection, chunks), self._embedder.places(list(map(headed, chunks)))
        counted = [(one.tokens, weight) for one, weight in zip(asked, weights, strict=True) if weight]
        return [
            replace(hit, near=late.of_sentences(counted, hit.chunk, code, at))
            for hit, code, at in zip(hits, codes, places, strict=True)
        ]

    def _codes(self, collection: str, chunks: Sequence[Chunk]) -> list[bytes]:
        """The codes of the chunks' tokens: as they were kept, or made now for those that were not."""
        kept = self._index.codes(collection, [chunk.id for chunk in chunks], self._embedder)
        missing = [chunk for chunk in chunks if chunk.id not in kept]
        if missing:
            tokens = self._embedder.read([headed(chunk) for chunk in missing])[1]
            kept |= {chunk.id: late.code(states) for chunk, states in zip(missing, tokens, strict=True)}
        return [kept[chunk.id] for chunk in chunks]


def fuse(near: Mapping[str, float], shared: Mapping[str, float], pool: int) -> dict[str, float]:
    """Chunk id to half of each side's score over that side's maximum.

    What a side does not name has 0 there, or its lowest score if it named `pool` chunks and so might have gone on.
    """
    total = dict.fromkeys([*near, *shared], 0.0)
    for side in (near, shared):
        best = max(side.values(), default=0.0)
        lowest = min(side.values(), default=0.0) if len(side) >= pool else 0.0
        for chunk_id in total if best > 0 else ():
            total[chunk_id] += max(0.0, side.get(chunk_id, lowest)) / best / 2
    return total


def _reordered(hits: Sequence[Hit], chosen: Sequence[int], alike: NDArray[np.floating], share: float) -> list[Hit]:
    """The hits at the `chosen` places by their score and by what they are `alike`, each divided by its maximum; the
    others after them. `share` is what the second counts.
    """
    first = [hits[place] for place in chosen]
    alike = alike * [_own(hit) for hit in first]
    best, most = max((hit.score for hit in hits), default=0.0), max(alike, default=0.0)
    if best <= 0 or most <= 0:
        return [replace(hit, score=hit.score / max(1.0, best)) for hit in hits]
    compared = [
        replace(hit, score=float((1 - share) * hit.score / best + share * like / most))
        for hit, like in zip(first, alike, strict=True)
    ]
    others = sorted(set(range(len(hits))) - set(chosen))
    rest = [replace(hits[place], score=(1 - share) * hits[place].score / best) for place in others]
    return sorted(compared, key=_order) + rest


def _titled(chunk: Chunk) -> str:
    """As in BEIR (Thakur et al. 2021): a part of a text seldom says what the whole is about."""
    return f"{chunk.title} {headed(chunk)}" if chunk.title else headed(chunk)


def _distinct(chunks: Mapping[str, Chunk], scores: Mapping[str, float], lines: frozenset[int]) -> Iterator[Hit]:
    """Best first, equals by id; of chunks with the same text only the best. `lines` are those of many documents.

    They can only lower a score, so none is looked for in chunks whose score without them is not reached.
    """
    texts: set[str] = set()
    waiting: list[tuple[tuple[float, str], Hit]] = []
    for chunk_id in [*sorted(chunks, key=lambda one: (-scores[one], one)), None]:
        while waiting and (chunk_id is None or waiting[0][0] <= (-scores[chunk_id], chunk_id)):
            hit = heappop(waiting)[1]
            if hit.chunk.text not in texts:
                texts.add(hit.chunk.text)
                yield hit
        if chunk_id is not None:
            hit = Hit(chunks[chunk_id], scores[chunk_id], _repeated(chunks[chunk_id], lines))
            hit = replace(hit, score=hit.score * _own(hit))
            heappush(waiting, (_order(hit), hit))


def _kept(hits: Iterable[Hit], kept: list[Hit]) -> Iterator[Hit]:
    """The hits, each of which is put into the list when it is asked for."""
    for hit in hits:
        kept.append(hit)
        yield hit


def _repeated(chunk: Chunk, lines: frozenset[int]) -> tuple[Span, ...]:
    spans = boilerplate.spans(chunk.text, lines) if lines else ()
    return tuple(Span(chunk.start + span.start, chunk.start + span.end) for span in spans)


def _own(hit: Hit) -> float:
    """What is left of a hit's score, the less the more of it are lines that many documents have."""
    repeated = sum(span.end - span.start for span in hit.repeated)
    return 1 - REPEATED * repeated / max(1, len(hit.chunk.text))


def _own_text(hit: Hit) -> str:
    """The text without the lines that many documents have: chunks are not alike for a menu."""
    text, begin, parts = hit.chunk.text, 0, []
    for span in hit.repeated:
        parts.append(text[begin : span.start - hit.chunk.start])
        begin = span.end - hit.chunk.start
    return "".join([*parts, text[begin:]])


def _compared(groups: Sequence[int]) -> list[int]:
    """The places of RERANKED different hits, and of at most as many that repeat them."""
    different = [place for place, group in enumerate(groups) if group == place][:RERANKED]
    repeats = [place for place, group in enumerate(groups) if group != place and group in set(different)]
    return sorted([*different, *repeats[:RERANKED]])


def _varied(hits: Sequence[Hit], groups: Mapping[str, int]) -> list[Hit]:
    """The best hit of each group of near repeats, then the others. `groups` are known by the chunks' ids."""
    alone: list[Hit] = []
    behind: list[Hit] = []
    met: set[int | None] = {None}
    for hit in hits:
        group = groups.get(hit.chunk.id)
        (behind if group in met else alone).append(hit)
        met.add(group)
    last = alone[-1].score if alone else 0.0
    return [*alone, *(replace(hit, score=min(hit.score, last)) for hit in behind)]


def _order(hit: Hit) -> tuple[float, str]:
    return -hit.score, hit.chunk.id
