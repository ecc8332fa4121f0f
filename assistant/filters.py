"""Which documents fit a `Where`, and the rows of their chunks, asked of the library's tables.

`Where.fits` stands here once more, as conditions of SQL: a collection may have many thousands of documents. They read
an index (schema.FACTS) and not the rows, which hold whole texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from assistant.database import Database
from assistant.where import KEYS, Where, folded

FUNCTIONS = {"folded": folded}  # that these conditions need of the database

_FILE = "SELECT file FROM sources WHERE document = d.id ORDER BY id LIMIT 1"  # under which a document is shown
_CONDITIONS = {
    "publisher": "folded(publisher) = folded({value})",
    "title": "folded(title) = folded({value})",
    "file": f"folded(({_FILE})) = folded({{value}})",
    "author": "folded(author) = folded({value})",
    "date": "instr(date, {value}) = 1",
    "after": "date <> '' AND date >= substr({value}, 1, length(date))",
    "before": "date <> '' AND substr(date, 1, length({value})) <= {value}",
}


def fitting(database: Database, collection: int, where: Where) -> tuple[list[str], int, int]:
    """The ids of the documents that fit (all, where nothing is asked of them), how many chunks they have, and how many
    the collection has.
    """
    asked = [key for key in KEYS if getattr(where, key)]
    conditions = [_CONDITIONS[key].format(value=f"?{number}") for number, key in enumerate(asked, start=2)]
    sql = f"SELECT id, document_id FROM documents d WHERE {' AND '.join(['collection = ?1', *conditions])}"
    found = database.read(sql, collection, *(getattr(where, key) for key in asked))
    counts = database.read(
        """SELECT count(*), (SELECT total(chunks) FROM collections WHERE id = ?1) FROM chunks
            WHERE document IN (SELECT value FROM json_each(?2))""",
        collection,
        json.dumps([row for row, _ in found]),
    )
    return [name for _, name in found], int(counts[0][0]), int(counts[0][1])


def names(database: Database, collection: int, key: str) -> list[str]:
    """All publishers, titles or authors that documents state, or the names of files under which they are shown."""
    column = f"({_FILE})" if key == "file" else key
    rows = database.read(f"SELECT DISTINCT {column} FROM documents d WHERE collection = ?", collection)
    return [name for (name,) in rows if name]


def chunk_rows(database: Database, collection: int, documents: Iterable[str]) -> list[int]:
    """The rows of these documents' chunks."""
    named = "document_id IN (SELECT value FROM json_each(?))"
    sql = f"SELECT id FROM chunks WHERE document IN (SELECT id FROM documents WHERE collection = ? AND {named})"
    return [row for (row,) in database.read(sql, collection, json.dumps(list(documents)))]
