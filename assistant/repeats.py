"""What documents of a collection repeat: each other as a whole, or single lines. Kept in the library's database and
changed in its transactions.

A document is a near copy of the earliest one before it that it resembles (likeness.py). To find that one without
comparing all, the smallest hashes of every sketch are kept in a table: near copies share most of them.
The lines of near copies are not counted: what forty copies of an article say is no boilerplate.
"""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Sequence

from assistant import boilerplate, likeness
from assistant.database import Database
from assistant.schema import REPEATS

_KEYS = 16  # smallest hashes of a sketch; near copies at 70% share 12 of them as a rule
_SHARED = 4  # and at least so many: documents with less in common need not be compared
_COMPARED = 100  # documents, those that share most

_log = logging.getLogger(__name__)


def introduce(database: Database) -> None:
    """Brings a library of format 2 to format 3, inside a transaction: the tables of this room, and what they hold of
    the documents there are.
    """
    documents = database.run("SELECT id, collection FROM documents ORDER BY id")
    _log.warning("The library is brought to this release's format, once: %d documents.", len(documents))
    for statement in REPEATS:
        database.run(statement)
    repeats = Repeats(database)
    for document, collection in documents:
        [(text,)] = database.run("SELECT text FROM documents WHERE id = ?", document)
        repeats.put(collection, document, text)


class Repeats:
    """Documents and collections are known by their numbers in the library."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, tuple[int, frozenset[int]]] = {}

    def lines(self, collection: int, generation: int) -> frozenset[int]:
        """The hashes of the lines that many documents have. They are read again when `generation` has changed."""
        known = self._known.get(collection)
        if known is None or known[0] != generation:
            known = self._known[collection] = (generation, self._read(collection))
        return known[1]

    def put(self, collection: int, document: int, text: str) -> None:
        """Takes in a document, in the place of what it was before, inside a transaction."""
        sketch, lines = likeness.sketch(text), sorted(boilerplate.hashes(text))
        kept = (_packed(sketch), _packed(lines))
        if self._database.run("SELECT sketch, lines FROM copies WHERE document = ?", document) == [kept]:
            return
        self.drop(collection, document)
        self._database.run_many(
            "INSERT INTO sketches (collection, hash, document) VALUES (?, ?, ?)",
            [(collection, value, document) for value in sketch[:_KEYS]],
        )
        original = self._original(collection, document, sketch)
        self._database.run(
            "INSERT INTO copies (document, collection, original, sketch, lines) VALUES (?, ?, ?, ?, ?)",
            *(document, collection, original, *kept),
        )
        if original is None:
            self._count(collection, lines)

    def drop(self, collection: int, document: int | None) -> None:
        """Forgets a document, inside a transaction."""
        rows = self._database.run("DELETE FROM copies WHERE document = ? RETURNING original, sketch, lines", document)
        for original, sketch, lines in rows:
            self._database.run_many(
                "DELETE FROM sketches WHERE collection = ? AND hash = ? AND document = ?",
                [(collection, value, document) for value in _unpacked(sketch)[:_KEYS]],
            )
            if original is None:
                self._discount(collection, _unpacked(lines))
        heirs = self._database.run(
            "SELECT document, sketch, lines FROM copies WHERE collection = ? AND original = ? ORDER BY document",
            *(collection, document),
        )
        for heir, sketch, lines in heirs:
            found = self._original(collection, heir, _unpacked(sketch))
            self._database.run("UPDATE copies SET original = ? WHERE document = ?", found, heir)
            if found is None:
                self._count(collection, _unpacked(lines))

    def _read(self, collection: int) -> frozenset[int]:
        alone = "SELECT count(*) FROM copies WHERE collection = ? AND original IS NULL"
        [(documents,)] = self._database.read(alone, collection)
        # the first condition lets SQLite use the index, which has only such lines
        sql = f"SELECT hash FROM lines WHERE collection = ? AND documents >= {boilerplate.LEAST} AND documents >= ?"
        rows = self._database.read(sql, collection, boilerplate.needed(documents))
        return frozenset(line for (line,) in rows)

    def _original(self, collection: int, document: int, sketch: Sequence[int]) -> int | None:
        """The earliest document before this one that it resembles."""
        keys = sketch[:_KEYS]
        near = self._database.run(
            """SELECT document FROM sketches WHERE collection = ? AND document < ?
                AND hash IN (SELECT value FROM json_each(?))
                GROUP BY document HAVING count(*) >= ? ORDER BY count(*) DESC, document LIMIT ?""",
            *(collection, document, json.dumps(list(keys)), min(_SHARED, len(keys)), _COMPARED),
        )
        for (other,) in sorted(near):
            [(stored,)] = self._database.run("SELECT sketch FROM copies WHERE document = ?", other)
            if likeness.resemblance(sketch, _unpacked(stored)) >= likeness.SAME:
                return int(other)
        return None

    def _count(self, collection: int, lines: Sequence[int]) -> None:
        self._database.run_many(
            """INSERT INTO lines (collection, hash, documents) VALUES (?, ?, 1)
                ON CONFLICT (collection, hash) DO UPDATE SET documents = documents + 1""",
            [(collection, line) for line in lines],
        )

    def _discount(self, collection: int, lines: Sequence[int]) -> None:
        rows = [(collection, line) for line in lines]
        self._database.run_many("DELETE FROM lines WHERE collection = ? AND hash = ? AND documents = 1", rows)
        self._database.run_many("UPDATE lines SET documents = documents - 1 WHERE collection = ? AND hash = ?", rows)


def _packed(numbers: Sequence[int]) -> bytes:
    return array("q", numbers).tobytes()


def _unpacked(stored: bytes) -> Sequence[int]:
    return array("q", stored)
