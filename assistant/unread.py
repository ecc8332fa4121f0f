"""What of an archive was not read, kept with the list of its files: the next run finds the archive unchanged, and yet
has to tell what failed in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from assistant.database import Database


def keep(database: Database, collection: int, document: int, unread: Iterable[tuple[str, str]]) -> None:
    """`unread` are names in the archive and reasons, "" for a file of a kind that is not read; in a transaction."""
    forget(database, document)
    database.run_many(
        "INSERT INTO unread (collection, document, name, reason) VALUES (?, ?, ?, ?)",
        [(collection, document, name, reason) for name, reason in unread],
    )


def forget(database: Database, document: int | None) -> None:
    """Inside a transaction."""
    database.run("DELETE FROM unread WHERE document = ?", document)


def known(database: Database, collection: int, document_id: str) -> list[tuple[str, str]]:
    """What was kept with a document, in that order."""
    sql = "SELECT id FROM documents WHERE collection = ? AND document_id = ?"
    return [
        (name, reason)
        for name, reason in database.read(
            f"SELECT name, reason FROM unread WHERE document IN ({sql}) ORDER BY id", collection, document_id
        )
    ]
