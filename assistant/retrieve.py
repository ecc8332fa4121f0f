"""Questions to ranked chunks: nearest by meaning and nearest by words, fused.

The two kinds of score have no common scale, so each side's are divided by their maximum and count half. Only chunks
that the library says count are given, as it knows them: the state of a document before a change or after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.embedder import Embedder, Vectors
from assistant.errors import EmptyCollection, StorageError
from assistant.index import Index
from assistant.library import Library
from assistant.records import Chunk, Hit

POOL = 50  # candidates that each side gives, at least
PER_HIT = 4  # and for each hit asked for: some do not count any more, and equal texts appear once
ATTEMPTS = 3  # how often a search is repeated when the collection changes meanwhile


class Retriever:
    """Searches one HOME's collections. Safe to use from several threads."""

    def __init__(self, embedder: Embedder, index: Index, library: Library) -> None:
        self._embedder = embedder
        self._index = index
        self._library = library

    def search(self, collection: str, queries: Sequence[str], k: int) -> list[Hit]:
        """The `k` best chunks for a question, best first; fewer only where there are fewer different texts.

        `queries` are wordings of one question: a chunk has its best score among them, 1 being the most that a wording
        can give. Raises UnknownCollection, EmptyCollection, EmbedderMismatch, StorageError.
        """
        vectors = self._embedder.embed(queries)
        for _ in range(ATTEMPTS):
            generation = self._library.generation(collection)
            hits = self._hits(collection, queries, vectors, k)
            if self._library.generation(collection) == generation:
                break
        return hits

    def _hits(self, collection: str, queries: Sequence[str], vectors: Vectors, k: int) -> list[Hit]:
        if not self._library.count(collection):
            raise EmptyCollection(
                f"The collection {collection} has no documents.", f"`assistant ingest PATH --collection {collection}`."
            )
        pool = max(POOL, PER_HIT * k)
        while True:
            scores, exhausted = self._fused(collection, queries, vectors, pool)
            hits = _distinct(self._library.chunks(collection, scores), scores)
            if len(hits) >= k or exhausted:
                return hits[:k]
            pool *= 4

    def _fused(
        self, collection: str, queries: Sequence[str], vectors: Vectors, pool: int
    ) -> tuple[dict[str, float], bool]:
        """Chunk id to score, and whether a greater pool would bring nothing new."""
        best: dict[str, float] = {}
        exhausted = True
        for query, vector in zip(queries, vectors, strict=True):
            near = self._index.search(collection, vector, pool, self._embedder)
            if not near:
                raise StorageError(
                    f"The index has no chunks of the collection {collection}, though there are documents.",
                    "Run `assistant ingest` on any of your folders: it is made again from the stored texts.",
                )
            shared = self._library.match(collection, query, pool)
            exhausted = exhausted and len(near) < pool and len(shared) < pool
            for chunk_id, score in fuse(near, shared, pool).items():
                best[chunk_id] = max(score, best.get(chunk_id, 0.0))
        return best, exhausted


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


def _distinct(chunks: Mapping[str, Chunk], scores: Mapping[str, float]) -> list[Hit]:
    """Best first, equals by id; of chunks with the same text only the best."""
    hits: dict[str, Hit] = {}
    for chunk_id in sorted(chunks, key=lambda chunk_id: (-scores[chunk_id], chunk_id)):
        hits.setdefault(chunks[chunk_id].text, Hit(chunks[chunk_id], scores[chunk_id]))
    return list(hits.values())
