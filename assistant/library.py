"""The library: which documents there are, their texts and chunks, and the full-text index over them.

It is the truth; the vector index is made from it and can be made again. A document counts when its row is committed,
which happens after its chunks are in the vector index, so a reader who asks here which chunks count sees the old state
of a document or the new one. A collection is marked unfinished before work on the vector index begins, and in the same
transaction as any change that leaves work to do there, until that work is done: the next run notices a killed one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from assistant import filters, unread
from assistant.database import Database, shown
from assistant.errors import UnknownCollection, UnknownDocument
from assistant.lexical import Words, renew, worded
from assistant.records import Chunk, CollectionInfo, Document, DocumentInfo, Stored
from assistant.repeats import Repeats, introduce
from assistant.schema import FACTS, SCHEMA, VERSION, add_format_6
from assistant.where import Where

# A document is shown under the path it was first seen at.
_SOURCE = "JOIN sources s ON s.id = (SELECT min(id) FROM sources WHERE document = d.id)"
_CHUNK = 'chunk_id, d.document_id, c.text, c."start", c."end", page, file, title, publisher, date, section'
_FACTS = ("sha256", "text", "title", "publisher", "author", "date")
_KNOWN = "SELECT id FROM documents WHERE collection = ? AND document_id = ?"
_COLLECTION = "(SELECT id FROM collections WHERE name = ?)"
_UPGRADES = {2: introduce, 3: lambda database: database.run(FACTS), 4: renew, 5: add_format_6}


class Library:
    """Documents by collection. Safe to use from several threads and processes.

    Every method raises StorageError when the file cannot be read or written, and those that take a collection
    UnknownCollection, unless they say otherwise.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, VERSION, _UPGRADES, filters.FUNCTIONS)
        self._repeats = Repeats(self._database)

    def close(self) -> None:
        self._database.close()

    # --- what there is

    def collections(self) -> list[CollectionInfo]:
        """All collections, by name."""
        rows = self._database.read(
            """SELECT name, (SELECT count(*) FROM documents WHERE collection = c.id), chunks, embedder
                FROM collections c ORDER BY name"""
        )
        return [CollectionInfo(*row) for row in rows]

    def documents(self, collection: str) -> list[DocumentInfo]:
        """All documents of a collection, in the order they came in."""
        rows = self._database.read(
            f"""SELECT d.document_id, s.shown, s.file, d.title, d.publisher, d.author, d.date, d.characters,
                (SELECT count(*) FROM chunks WHERE document = d.id), d.ingested_at,
                (SELECT file FROM sources WHERE document = r.original ORDER BY id LIMIT 1)
                FROM documents d {_SOURCE} JOIN copies r ON r.document = d.id WHERE d.collection = ? ORDER BY d.id""",
            self._id(collection),
        )
        return [DocumentInfo(*row) for row in rows]

    def document(self, collection: str, document_id: str) -> Document:
        """A document with its text. Raises UnknownDocument."""
        rows = self._database.read(
            f"""SELECT d.sha256, s.shown, s.file, d.text, d.title, d.publisher, d.author, d.date, d.pages
                FROM documents d {_SOURCE} WHERE d.collection = ? AND d.document_id = ?""",
            self._id(collection),
            document_id,
        )
        if not rows:
            raise _unknown(document_id, collection)
        *facts, pages = rows[0]
        return replace(Document(document_id, *facts), pages=tuple(json.loads(pages)))

    def chunks(self, collection: str, chunk_ids: Iterable[str]) -> dict[str, Chunk]:
        """Those of `chunk_ids` that count now, with what is known of their documents."""
        rows = self._database.read(
            f"""SELECT {_CHUNK} FROM chunks c JOIN documents d ON d.id = c.document {_SOURCE}
                WHERE c.collection = ? AND c.chunk_id IN (SELECT value FROM json_each(?))""",
            self._id(collection),
            json.dumps(list(chunk_ids)),
        )
        return {row[0]: Chunk(*row) for row in rows}

    def chunk_ids(self, collection: str) -> list[str]:
        """Every chunk that counts, in the order they came in."""
        sql = "SELECT chunk_id FROM chunks WHERE collection = ? ORDER BY id"
        rows = self._database.read(sql, self._id(collection))
        return [chunk_id for (chunk_id,) in rows]

    def count(self, collection: str) -> int:
        """How many chunks count; 0 for an unknown collection."""
        rows = self._database.read("SELECT chunks FROM collections WHERE name = ?", collection)
        return int(rows[0][0]) if rows else 0

    def generation(self, collection: str) -> int:
        """A number that grows with every change of a collection."""
        rows = self._database.read("SELECT generation FROM collections WHERE id = ?", self._id(collection))
        return int(rows[0][0])

    def boilerplate(self, collection: str) -> frozenset[int]:
        """The lines that many documents of a collection have, as `boilerplate.hashes` gives them."""
        return self._repeats.lines(self._id(collection), self.generation(collection))

    def fitting(self, collection: str, where: Where) -> tuple[list[str], int, int]:
        """The ids of the documents that fit, how many chunks they have, and how many the collection has."""
        return filters.fitting(self._database, self._id(collection), where)

    def names(self, collection: str, key: str) -> list[str]:
        """What documents have as `key`, one of the names that a `Where` asks for."""
        return filters.names(self._database, self._id(collection), key)

    def match(
        self, collection: str, question: str, n: int, documents: Iterable[str] | None = None
    ) -> dict[str, float]:
        """The `n` chunks that share the rarest words with a question: chunk id to BM25 score, best first.

        `documents` are the ids of those to look in, None: all.
        """
        owner = self._id(collection)
        within = None if documents is None else filters.chunk_rows(self._database, owner, documents)
        found = self._words(owner).match(question, n, self.count(collection), within)
        rows = self._database.read(
            "SELECT id, chunk_id FROM chunks WHERE id IN (SELECT value FROM json_each(?))", json.dumps(list(found))
        )
        names = dict(rows)
        return {names[row]: score for row, score in found.items() if row in names}

    # --- what the write path asks; an unknown collection has nothing

    def stored(self, collection: str, document_id: str) -> Stored | None:
        """The document of that id, or None."""
        rows = self._database.read(
            f"""SELECT sha256, revision, (SELECT count(*) FROM chunks WHERE document = d.id) FROM documents d
                WHERE document_id = ? AND collection = {_COLLECTION}""",
            document_id,
            collection,
        )
        return Stored(*rows[0]) if rows else None

    def at(self, collection: str, path: str) -> str | None:
        """Id of the document last seen at a path, or None."""
        rows = self._database.read(
            f"""SELECT document_id FROM sources s JOIN documents d ON d.id = s.document
                WHERE path = ? AND s.collection = {_COLLECTION}""",
            os.fsencode(path),
            collection,
        )
        return str(rows[0][0]) if rows else None

    def paths(self, collection: str, document_id: str) -> list[str]:
        """Every path a document was seen at, the first one first."""
        rows = self._database.read(
            f"""SELECT path FROM sources s JOIN documents d ON d.id = s.document
                WHERE document_id = ? AND s.collection = {_COLLECTION} ORDER BY s.id""",
            document_id,
            collection,
        )
        return [os.fsdecode(path) for (path,) in rows]

    def paths_under(self, collection: str, folder: str) -> list[str]:
        """Every path known inside a folder, sorted."""
        first = os.fsencode(folder).rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
        rows = self._database.read(
            f"""SELECT path FROM sources WHERE path > ? AND path < ? AND collection = {_COLLECTION} ORDER BY path""",
            first,
            first[:-1] + bytes([first[-1] + 1]),
            collection,
        )
        return [os.fsdecode(path) for (path,) in rows]

    def unread(self, collection: str, document_id: str) -> list[tuple[str, str]]:
        """What of an archive was left out: names in it, and reasons, "" for a kind of file that is not read."""
        return unread.known(self._database, self._id(collection), document_id)

    def unfinished(self, collection: str) -> bool:
        """Whether the vector index may differ from what is committed here."""
        return self._database.read("SELECT unfinished FROM collections WHERE name = ?", collection) == [(1,)]

    # --- changes; the ids they return are of chunks that no longer count, to be dropped from the vector index

    def begin(self, collection: str, embedder: str) -> None:
        """Marks a collection unfinished, and creates it where there is none. A new one gets a generation that none
        before it had: SQLite may give it the number of one that was dropped, and readers know it by these two.
        """
        with self._database.change():
            self._database.run(
                """INSERT INTO collections (name, embedder, unfinished, generation) VALUES (?, ?, 1, ?)
                    ON CONFLICT (name) DO UPDATE SET unfinished = 1, embedder = excluded.embedder""",
                *(collection, embedder, time.time_ns()),
            )
            self._words(self._id(collection)).create()

    def finish(self, collection: str) -> None:
        """Says that the vector index holds exactly the committed chunks."""
        with self._database.change():
            self._database.run("UPDATE collections SET unfinished = 0 WHERE id = ?", self._id(collection))

    def commit(
        self,
        collection: str,
        document: Document,
        path: str,
        chunks: Sequence[Chunk],
        revision: str,
        left_out: Iterable[tuple[str, str]] = (),
    ) -> list[str]:
        """Makes a document count, with these chunks and at this path, in the place of what was there; see `unread`."""
        with self._change(collection) as owner:
            replaced = self._document_at(owner, path)
            # first what was: the full-text index forgets a chunk by the title it came with
            dropped = self._drop_chunks(owner, self._known(owner, document.id))
            row = self._put_document(owner, document, revision)
            self._repeats.put(owner, row, document.text)
            self._put_chunks(owner, row, chunks)
            unread.keep(self._database, owner, row, left_out)
            self._put_source(owner, path, row)
            dropped |= self._drop_unseen(owner, {replaced} - {row, None})
            return sorted(dropped - {chunk.id for chunk in chunks})

    def attach(self, collection: str, path: str, document_id: str, gone: Iterable[str] = ()) -> list[str]:
        """Notes that a stored document was seen at `path`, and no longer is at the paths in `gone`.

        Raises UnknownDocument.
        """
        with self._change(collection) as owner:
            row = self._row(owner, document_id)
            replaced = self._document_at(owner, path)
            self._put_source(owner, path, row)
            self._drop_sources(owner, gone)
            return sorted(self._drop_unseen(owner, {replaced} - {row, None}))

    def detach(self, collection: str, paths: Sequence[str]) -> list[str]:
        """Forgets paths, and the documents that were seen nowhere else."""
        with self._change(collection) as owner:
            touched = {self._document_at(owner, path) for path in paths}
            self._drop_sources(owner, paths)
            return sorted(self._drop_unseen(owner, touched - {None}))

    def remove(self, collection: str, document_id: str) -> list[str]:
        """Forgets a document and all its paths. Raises UnknownDocument."""
        with self._change(collection) as owner:
            row = self._row(owner, document_id)
            self._database.run("DELETE FROM sources WHERE document = ?", row)
            return sorted(self._drop_unseen(owner, {row}))

    def drop(self, collection: str) -> None:
        """Forgets a collection with all its documents. Raises UnknownCollection."""
        with self._database.change():
            owner = self._id(collection)
            self._words(owner).remove()
            for table in ("chunks", "sources", "documents", "copies", "sketches", "lines", "unread"):
                self._database.run(f"DELETE FROM {table} WHERE collection = ?", owner)
            self._database.run("DELETE FROM collections WHERE id = ?", owner)

    # --- inside a transaction

    @contextmanager
    def _change(self, collection: str) -> Iterator[int]:
        """A transaction on a collection, which it leaves changed and unfinished; gives the collection's number."""
        with self._database.change():
            owner = self._id(collection)
            self._database.run(
                "UPDATE collections SET generation = generation + 1, unfinished = 1 WHERE id = ?", owner
            )
            yield owner

    def _put_document(self, owner: int, document: Document, revision: str) -> int:
        values = {name: getattr(document, name) for name in _FACTS} | {
            "collection": owner,
            "document_id": document.id,
            "revision": revision,
            "characters": len(document.text),
            "pages": json.dumps(document.pages),
            "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        sets = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._database.run(
            f"""INSERT INTO documents ({", ".join(values)}) VALUES ({", ".join("?" * len(values))})
                ON CONFLICT (collection, document_id) DO UPDATE SET {sets}""",
            *values.values(),
        )
        return self._row(owner, document.id)

    def _put_chunks(self, owner: int, document: int, chunks: Sequence[Chunk]) -> None:
        self._database.run_many(
            """INSERT INTO chunks (collection, document, chunk_id, text, "start", "end", page, section)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            [(owner, document, c.id, c.text, c.start, c.end, c.page, c.section) for c in chunks],
        )
        self._words(owner).add(worded(self._database, document))
        self._database.run("UPDATE collections SET chunks = chunks + ? WHERE id = ?", len(chunks), owner)

    def _put_source(self, owner: int, path: str, document: int) -> None:
        if self._document_at(owner, path) == document:
            return
        self._drop_sources(owner, [path])  # a new row, so that it comes after the other paths of this document
        name = shown(path)
        self._database.run(
            "INSERT INTO sources (collection, path, shown, file, document) VALUES (?, ?, ?, ?, ?)",
            *(owner, os.fsencode(path), name, Path(name).name, document),
        )

    def _drop_sources(self, owner: int, paths: Iterable[str]) -> None:
        self._database.run_many(
            "DELETE FROM sources WHERE collection = ? AND path = ?", [(owner, os.fsencode(path)) for path in paths]
        )

    def _drop_unseen(self, owner: int, documents: Iterable[int | None]) -> set[str]:
        """Drops those of the documents that no path leads to; gives the ids of their chunks."""
        dropped: set[str] = set()
        for row in documents:
            if not self._database.run("SELECT 1 FROM sources WHERE document = ? LIMIT 1", row):
                dropped |= self._drop_chunks(owner, row)
                self._repeats.drop(owner, row)
                unread.forget(self._database, row)
                self._database.run("DELETE FROM documents WHERE id = ?", row)
        return dropped

    def _drop_chunks(self, owner: int, document: int | None) -> set[str]:
        self._words(owner).drop(worded(self._database, document))
        rows = self._database.run("DELETE FROM chunks WHERE document = ? RETURNING chunk_id", document)
        self._database.run("UPDATE collections SET chunks = chunks - ? WHERE id = ?", len(rows), owner)
        return {chunk_id for (chunk_id,) in rows}

    def _document_at(self, owner: int, path: str) -> int | None:
        sql = "SELECT document FROM sources WHERE collection = ? AND path = ?"
        rows = self._database.run(sql, owner, os.fsencode(path))
        return rows[0][0] if rows else None

    def _row(self, owner: int, document_id: str) -> int:
        """The number of a document. Raises UnknownDocument."""
        row = self._known(owner, document_id)
        if row is None:
            raise _unknown(document_id, self._database.run("SELECT name FROM collections WHERE id = ?", owner)[0][0])
        return row

    def _known(self, owner: int, document_id: str) -> int | None:
        rows = self._database.run(_KNOWN, owner, document_id)
        return rows[0][0] if rows else None

    # --- names

    def _words(self, owner: int) -> Words:
        return Words(self._database, str(owner))

    def _id(self, collection: str) -> int:
        """The number of a collection. Raises UnknownCollection."""
        known = dict(self._database.read("SELECT name, id FROM collections ORDER BY name"))
        if collection not in known:
            names = ", ".join(known) or "none yet; `assistant ingest PATH` makes one"
            what = f"There is no collection {collection!r}."
            raise UnknownCollection(what, f"There are: {names}. Choose with --collection NAME.")
        return int(known[collection])


def _unknown(document_id: str, collection: str) -> UnknownDocument:
    hint = "`assistant documents list --collection NAME` shows all of a collection."
    return UnknownDocument(f"There is no document {document_id!r} in the collection {collection}.", hint)
