"""A flat index: the vectors of chunks by document, all of which are compared where few documents are meant.

Chroma's graph (HNSW) leads quickly to the nearest of all chunks. Asked for those of few documents it is walked until
it has met enough of them, the longer the fewer they are, and that documents are named one by one costs Chroma even
more (docs/lab.md). The file lies beside Chroma's folder and can be made again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.database import Database
from assistant.records import owner

_VERSION = 1
_SCHEMA = (
    # a row is what of a document came in at once: thousands of chunks are read three times as quickly as one by one
    """CREATE TABLE vectors (
        id INTEGER PRIMARY KEY, collection TEXT NOT NULL, document_id TEXT NOT NULL, embedder TEXT NOT NULL,
        chunks INTEGER NOT NULL, chunk_ids TEXT NOT NULL, units BLOB NOT NULL)""",
    "CREATE INDEX vectors_by_document ON vectors (collection, document_id, chunks)",
)


Vectors = NDArray[np.float32]


class Flat:
    """Vectors in one file. Every method raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, _VERSION)

    def close(self) -> None:
        self._database.close()

    def put(self, collection: str, embedder: str, chunk_ids: Sequence[str], vectors: Vectors) -> None:
        """`vectors` is [len(chunk_ids), dimensions]; `embedder` is the hash of the model they come from."""
        units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        with self._database.change():
            self._take_out(collection, chunk_ids)
            for document, places in groupby(range(len(chunk_ids)), lambda place: owner(chunk_ids[place])):
                chosen = list(places)
                self._insert(collection, document, embedder, [chunk_ids[place] for place in chosen], units[chosen])

    def count(self, collection: str) -> int:
        """How many chunks there are; 0 for an unknown collection."""
        return int(self._database.read("SELECT total(chunks) FROM vectors WHERE collection = ?", collection)[0][0])

    def chunk_ids(self, collection: str) -> set[str]:
        """Every chunk there is."""
        rows = self._database.read("SELECT chunk_ids FROM vectors WHERE collection = ?", collection)
        return {chunk_id for (ids,) in rows for chunk_id in ids.split()}

    def lacking(self, collection: str, known: Collection[str], size: int) -> Iterator[list[str]]:
        """Forgets what is not among the `known` chunks; gives what is lacking, in lists of about `size`.

        A document's chunks are all in one list: a document with some of its chunks would count as one with all.
        """
        there = self.chunk_ids(collection)
        if gone := sorted(there - set(known)):
            self.drop(collection, gone)
        documents = {owner(chunk_id) for chunk_id in set(known) - there}
        part: list[str] = []
        for document, ids in groupby(sorted(known), owner):
            part += ids if document in documents else []
            if len(part) >= size:
                yield part
                part = []
        if part:
            yield part

    def search(
        self, collection: str, embedder: str, vector: Vectors, n: int, documents: Collection[str]
    ) -> dict[str, float] | None:
        """The `n` nearest chunks of these documents: chunk id to cosine similarity, best first.

        None where the vectors of a document are not there: those that came in before there was this file.
        """
        rows = self._database.read(
            """SELECT document_id, chunk_ids, units FROM vectors WHERE collection = ? AND embedder = ?
                AND document_id IN (SELECT value FROM json_each(?))""",
            collection,
            embedder,
            json.dumps(list(documents)),
        )
        if not rows or set(documents) - {document for document, _, _ in rows}:
            return None
        names = " ".join(ids for _, ids, _ in rows).split()
        scores = _unpacked(b"".join(units for _, _, units in rows), len(names)) @ (vector / np.linalg.norm(vector))
        return {names[place]: float(scores[place]) for place in np.argsort(-scores, kind="stable")[:n]}

    def drop(self, collection: str, chunk_ids: Sequence[str]) -> None:
        with self._database.change():
            self._take_out(collection, chunk_ids)

    def clear(self, collection: str | None = None) -> None:
        """Forgets a collection's vectors, or all."""
        with self._database.change():
            if collection is None:
                self._database.run("DELETE FROM vectors")
            else:
                self._database.run("DELETE FROM vectors WHERE collection = ?", collection)

    # --- inside a transaction

    def _insert(self, collection: str, document: str, embedder: str, chunk_ids: Sequence[str], units: Vectors) -> None:
        self._database.run(
            """INSERT INTO vectors (collection, document_id, embedder, chunks, chunk_ids, units)
                VALUES (?, ?, ?, ?, ?, ?)""",
            *(collection, document, embedder, len(chunk_ids), " ".join(chunk_ids), units.tobytes()),
        )

    def _take_out(self, collection: str, chunk_ids: Iterable[str]) -> None:
        gone = set(chunk_ids)
        for document in sorted({owner(chunk_id) for chunk_id in gone}):
            rows = self._database.run(
                "SELECT id, embedder, chunk_ids FROM vectors WHERE collection = ? AND document_id = ?",
                *(collection, document),
            )
            for row, embedder, ids in rows:
                names = ids.split()
                rest = [place for place, name in enumerate(names) if name not in gone]
                if len(rest) == len(names):
                    continue
                [(units,)] = self._database.run("SELECT units FROM vectors WHERE id = ?", row)
                self._database.run("DELETE FROM vectors WHERE id = ?", row)
                if rest:
                    left = _unpacked(units, len(names))[rest]
                    self._insert(collection, document, embedder, [names[place] for place in rest], left)


def _unpacked(units: bytes, count: int) -> Vectors:
    return np.frombuffer(units, np.float32).reshape(count, -1)
