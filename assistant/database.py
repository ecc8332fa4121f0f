"""Owns sqlite3: one file, opened with a schema, read and changed in transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.errors import StorageError

WAIT_S = 10  # how long a change waits for another process's change to end

_SPACE = "Check that the disk has space left, then run it again: what was committed is kept."
_PERMISSION = "Check the permissions of the file and its folder."
_TURN = "Another process is writing; try again when it is done."
_DAMAGED = "The file is damaged: move it away, or put back a copy of it, then ingest again."
_HINTS = {
    sqlite3.SQLITE_FULL: _SPACE,
    sqlite3.SQLITE_IOERR: _SPACE,
    sqlite3.SQLITE_PERM: _PERMISSION,
    sqlite3.SQLITE_READONLY: _PERMISSION,
    sqlite3.SQLITE_CANTOPEN: _PERMISSION,
    sqlite3.SQLITE_BUSY: _TURN,
    sqlite3.SQLITE_LOCKED: _TURN,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def shown(path: str) -> str:
    """A path as valid text: bytes of a file name that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class Database:
    """A SQLite file in WAL mode: readers are not held up by a writer. Safe to use from several threads.

    `schema` is run on a new file, which then carries `version`. `upgrades` bring a file of an older version, which is
    their key, to the next one, inside a transaction. `functions` of one value are there in SQL, by name. Every method
    raises StorageError when the file cannot be used; opening raises it for a file of any other version.
    """

    def __init__(
        self,
        path: Path,
        schema: Sequence[str],
        version: int,
        upgrades: Mapping[int, Callable[[Database], object]] | None = None,
        functions: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self._path = path
        self._upgrades = upgrades or {}
        self._lock = threading.RLock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                for name, function in (functions or {}).items():
                    self._connection.create_function(name, 1, function, deterministic=True)
                self._prepare(schema, version)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._explained():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[None]:
        """A transaction: everything run inside it happens, or nothing of it does."""
        with self._lock, self._explained(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement inside `change`; the rows it returns."""
        return self._connection.execute(sql, values).fetchall()

    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """One statement inside `change`, once a row of values."""
        self._connection.executemany(sql, rows)

    def _prepare(self, schema: Sequence[str], version: int) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        if self._version() == version:
            return
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            found = self._version()  # another process may have been quicker
            if found == 0:
                for statement in schema:
                    self._connection.execute(statement)
            else:
                self._upgrade(found, version)
            self._connection.execute(f"PRAGMA user_version = {version}")

    def _upgrade(self, found: int, version: int) -> None:
        steps = range(found, version)
        if found > version or not self._upgrades.keys() >= set(steps):
            newer = "Update the assistant, or set ASSISTANT_HOME to another folder."
            older = "Move it away, or set ASSISTANT_HOME to another folder, and ingest your files again."
            raise StorageError(
                f"{self._path} was written by another release (its format is {found}, this one's {version}).",
                newer if found > version else older,
            )
        for step in steps:
            self._upgrades[step](self)

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns the file's and SQLite's own troubles into StorageError; a mistake of ours stays what it is."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"Cannot use {self._path}: {error.strerror}.", "Check the folder's permissions."
            ) from error
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the kind of error
            if code not in _HINTS:
                raise
            raise StorageError(f"Cannot use {self._path}: {error}.", _HINTS[code]) from error
