"""A flat index: the vectors of chunks by document, all of which are compared where few documents are meant.

Chroma's graph (HNSW) leads quickly to the nearest of all chunks. Asked for those of few documents it is walked until
it has met enough of them, the longer the fewer they are, and that documents are named one by one costs Chroma even
more (docs/lab.md). The file lies beside Chroma's folder and can be made again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.database import Database
from assistant.records import Chunk

_VERSION = 1
_SCHEMA = (
    """CREATE TABLE vectors (
        id INTEGER PRIMARY KEY, collection TEXT NOT NULL, document_id TEXT NOT NULL, chunk_id TEXT NOT NULL,
        embedder TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (collection, chunk_id))""",
    "CREATE INDEX vectors_by_document ON vectors (collection, document_id)",
)


class Flat:
    """Vectors in one file. Every method raises StorageError."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, _VERSION)

    def close(self) -> None:
        self._database.close()

    def put(self, collection: str, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """`vectors` is [len(chunks), dimensions]; `embedder` is the hash of the model they come from."""
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        with self._database.change():
            self._database.run_many(
                """INSERT OR REPLACE INTO vectors (collection, document_id, chunk_id, embedder, vector)
                    VALUES (?, ?, ?, ?, ?)""",
                [
                    (collection, chunk.document_id, chunk.id, embedder, unit.astype(np.float32).tobytes())
                    for chunk, unit in zip(chunks, units, strict=True)
                ],
            )

    def search(
        self, collection: str, embedder: str, vector: NDArray[np.float32], n: int, documents: Collection[str]
    ) -> dict[str, float] | None:
        """The `n` nearest chunks of these documents: chunk id to cosine similarity, best first.

        None where the vectors of a document are not there: those that came in before there was this file.
        """
        rows = self._database.read(
            """SELECT document_id, chunk_id, vector FROM vectors WHERE collection = ? AND embedder = ?
                AND document_id IN (SELECT value FROM json_each(?))""",
            collection,
            embedder,
            json.dumps(list(documents)),
        )
        if not rows or set(documents) - {document for document, _, _ in rows}:
            return None
        units = np.frombuffer(b"".join(unit for _, _, unit in rows), np.float32).reshape(len(rows), -1)
        scores = units @ (vector / np.linalg.norm(vector))
        return {rows[place][1]: float(scores[place]) for place in np.argsort(-scores, kind="stable")[:n]}

    def drop(self, collection: str, chunk_ids: Sequence[str]) -> None:
        with self._database.change():
            self._database.run(
                "DELETE FROM vectors WHERE collection = ? AND chunk_id IN (SELECT value FROM json_each(?))",
                collection,
                json.dumps(list(chunk_ids)),
            )

    def clear(self, collection: str | None = None) -> None:
        """Forgets a collection's vectors, or all."""
        with self._database.change():
            if collection is None:
                self._database.run("DELETE FROM vectors")
            else:
                self._database.run("DELETE FROM vectors WHERE collection = ?", collection)
