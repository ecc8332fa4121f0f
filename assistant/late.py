"""Late interaction: how well each word of a question is met somewhere in a chunk, by the embedder's token vectors.

A chunk's one vector blurs what its tokens say. So each token of the question takes its likest token of the chunk, and
the mean of these is the chunk's likeness (Khattab and Zaharia 2020, ColBERT). Of a chunk's token vectors only the
signs are kept, a bit a dimension: they rank nearly as well (docs/lab.md) and take 48 bytes a token. They come for
nothing when the chunk is embedded, and are kept in a file of their own, which can be made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant import sentences
from assistant.database import Database
from assistant.records import Chunk, Span, headed

_VERSION = 1
_SCHEMA = (
    """CREATE TABLE codes (
        collection TEXT NOT NULL, chunk_id TEXT NOT NULL, embedder TEXT NOT NULL, code BLOB NOT NULL,
        UNIQUE (collection, chunk_id))""",
)

Vectors = NDArray[np.float32]

BEHIND_LATIN = "\u0250"  # the first letter behind Latin ones; the rarer ones of Vietnamese stand further on


def code(tokens: Vectors) -> bytes:
    """The signs of token vectors [tokens, dimensions]."""
    return np.packbits(tokens > 0, axis=1).tobytes()


def likeness(question: Vectors, codes: Sequence[bytes]) -> list[float]:
    """How like each coded chunk is to a question's token vectors [tokens, dimensions]: 1 is the most there can be.

    0 for a chunk or a question without tokens.
    """
    width = question.shape[1]
    counts = [len(bits) * 8 // width for bits in codes]
    if not len(question) or not sum(counts):
        return [0.0] * len(codes)
    products = _products(question, b"".join(codes))
    found = [0.0] * len(codes)
    first = 0
    for number, count in enumerate(counts):
        if count:
            found[number] = float(products[first : first + count].max(axis=0).mean())
        first += count
    return found


def comparable(question: str) -> bool:
    """Whether the embedder's tokens of a question are words, or parts of words: of other scripts than the Latin one it
    has single signs, and not all, and compared token by token they mislead (docs/lab.md).
    """
    letters = [letter for letter in question if letter.isalpha()]
    return 2 * sum(letter < BEHIND_LATIN for letter in letters) >= len(letters)


def of_sentences(
    asked: Sequence[tuple[Vectors, float]], chunk: Chunk, code: bytes, places: Sequence[Span]
) -> tuple[float, ...]:
    """How like the questions each sentence of a chunk is, as `sentences.spans` cuts them.

    `asked` are the questions' token vectors, each with what it counts; `code` and `places` are of the tokens of the
    `headed` chunk. () where these are not the same tokens.
    """
    width = asked[0][0].shape[1] // 8
    if len(code) != width * len(places):
        return ()
    above = len(headed(chunk)) - len(chunk.text)
    at = np.array([(place.start - above, place.end - above) for place in places], int).reshape(-1, 2)
    inside = [(at[:, 0] < span.end) & (at[:, 1] > span.start) for span in sentences.spans(chunk.text)]
    found = np.zeros(len(inside))
    for question, weight in asked:
        products = _products(question, code)
        best = [products[part].max(axis=0).mean() if part.any() and len(question) else 0.0 for part in inside]
        found += weight * np.array(best)
    return tuple(map(float, found))


def _products(question: Vectors, code: bytes) -> Vectors:
    """How like each coded token is to each of a question's: [tokens of the code, tokens of the question]."""
    width = question.shape[1]
    signs = np.unpackbits(np.frombuffer(code, np.uint8).reshape(-1, width // 8), axis=1).astype(np.float32)
    # with s the bits as 0 and 1: a sum over signs of -1 and 1 is 2 q.s - sum(q), which saves a pass over all bits
    products: Vectors = (2 * signs @ question.T - question.sum(axis=1)) / np.sqrt(width)
    return products


class Codes:
    """The codes of chunks by collection, in one file. Every method raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, _VERSION)

    def close(self) -> None:
        self._database.close()

    def put(self, collection: str, embedder: str, codes: Iterable[tuple[str, bytes]]) -> None:
        """`codes` are chunk ids with their codes; `embedder` is the hash of the model they come from."""
        with self._database.change():
            self._database.run_many(
                "INSERT OR REPLACE INTO codes (collection, embedder, chunk_id, code) VALUES (?, ?, ?, ?)",
                [(collection, embedder, chunk_id, bits) for chunk_id, bits in codes],
            )

    def get(self, collection: str, embedder: str, chunk_ids: Sequence[str]) -> dict[str, bytes]:
        """Chunk id to code, for those that are known."""
        rows = self._database.read(
            """SELECT chunk_id, code FROM codes WHERE collection = ? AND embedder = ?
                AND chunk_id IN (SELECT value FROM json_each(?))""",
            collection,
            embedder,
            json.dumps(list(chunk_ids)),
        )
        return dict(rows)

    def drop(self, collection: str, chunk_ids: Sequence[str]) -> None:
        with self._database.change():
            self._database.run(
                "DELETE FROM codes WHERE collection = ? AND chunk_id IN (SELECT value FROM json_each(?))",
                collection,
                json.dumps(list(chunk_ids)),
            )

    def clear(self, collection: str | None = None) -> None:
        """Forgets a collection's codes, or all."""
        with self._database.change():
            if collection is None:
                self._database.run("DELETE FROM codes")
            else:
                self._database.run("DELETE FROM codes WHERE collection = ?", collection)
